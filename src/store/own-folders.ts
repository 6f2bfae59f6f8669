// Folders of lhb's own, each made when something is first put into it.
import { dirname } from 'node:path';
import { temporaryName } from '../fs/atomic-write.ts';
import { makeFolder } from '../fs/make-folder.ts';

export class OwnFolders {
  readonly #made = new Set<string>();

  /** A path in a folder that does not exist yet; the folder does after. Throws system errors. */
  temporaryIn(folder: string): string {
    this.#make(folder, dirname(folder));
    return `${folder}/${temporaryName()}`;
  }

  /** `path`, its folder made. @param root of all that is lhb's own there. Throws system errors */
  placeFor(path: string, root: string): string {
    this.#make(folderOf(path), root);
    return path;
  }

  /** Makes a folder again when it is needed next; false where it was not made here. */
  forget(folder: string): boolean {
    return this.#made.delete(folder);
  }

  #make(folder: string, root: string): void {
    if (!this.#made.has(folder)) makeFolder(folder, root);
    this.#made.add(folder);
  }
}

export const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));
