// The folders `.lhb/jobs/ID` of jobs that run here. To make one with the files in it costs a short job more than all else that
// is done for it (0.4 to 0.8 ms on ext4, which looks for free inodes), and a hundred thousand of them fill a disk. So those of
// the jobs that ended well last stay, for people to look into, and older ones become the folders of later jobs, files and all.
import { lstatSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { errno } from '../fs/errno.ts';
import { makeFolder } from '../fs/make-folder.ts';
import { COMMAND_FILE } from '../execute/job-script.ts';
import { EXIT_MARKER } from '../execute/exit-marker.ts';
import { JOB_FILE } from '../store/layout.ts';

/** Of how many jobs that ended well the folders stay. */
const KEPT = 500;
/** After so many jobs a folder's markers are dropped: each job appends one. */
const MOST_MARKERS = 500;

/** File times may stand still for this long, and a server's clock be behind: a later change may not show in what is younger. */
const TICK_MS = 2000;

/** What is known of a folder: how many jobs had it, and its mtime when nothing but lhb's own files was in it. */
type Had = { readonly jobs: number; readonly plainAt: number | undefined };

export class JobFolders {
  readonly #own: string;
  /** Of jobs that ended well, the earliest first. */
  readonly #done = new Map<string, Had>();
  /** Of jobs that run in a folder that others had. */
  readonly #running = new Map<string, Had>();

  /** @param own lhb's own folder, absolute */
  constructor(own: string) {
    this.#own = own;
  }

  /** Makes a job's folder; of an earlier job there may be a job.json in it, and markers. Throws system errors. */
  begin(folder: string): void {
    this.#done.delete(folder);
    const there = lstatSync(folder, { throwIfNoEntry: false });
    // A link in its place would have lhb write somewhere else.
    if (there?.isSymbolicLink()) unlinkSync(folder);
    if (there?.isDirectory() || (this.#done.size >= KEPT && this.#takeOver(folder))) return;
    makeFolder(folder, this.#own);
  }

  /** The job's result is on record. */
  end(folder: string): void {
    const had = this.#running.get(folder);
    this.#done.set(folder, { jobs: (had?.jobs ?? 0) + 1, plainAt: had?.plainAt });
    this.#running.delete(folder);
  }

  /** Renames the folder that has been done with for the longest; false where that cannot be. */
  #takeOver(folder: string): boolean {
    const [oldest] = this.#done;
    if (oldest === undefined) return false;
    const [path, { jobs, plainAt }] = oldest;
    this.#done.delete(path);
    try {
      const { mtimeMs } = lstatSync(path);
      // To list a folder costs five times as much as to see that no name came or went.
      const isPlain = mtimeMs === plainAt && jobs % MOST_MARKERS !== 0;
      if (!isPlain && !makePlain(path, jobs)) return false;
      renameSync(path, folder);
      this.#running.set(folder, { jobs, plainAt: Date.now() - mtimeMs > TICK_MS ? mtimeMs : undefined });
    } catch (error) {
      if (errno(error) === undefined) throw error;
      return false;
    }
    return true;
  }
}

/** Leaves nothing but lhb's own files in a folder; false where others are in it. */
function makePlain(path: string, jobs: number): boolean {
  const names = readdirSync(path);
  // What else there is, a config file say, stays for people.
  if (!names.every((name) => [JOB_FILE, EXIT_MARKER, COMMAND_FILE].includes(name))) return false;
  if (names.includes(COMMAND_FILE)) unlinkSync(`${path}/${COMMAND_FILE}`);
  const isWorn = jobs % MOST_MARKERS === 0;
  if (isWorn && names.includes(EXIT_MARKER)) unlinkSync(`${path}/${EXIT_MARKER}`);
  return true;
}
