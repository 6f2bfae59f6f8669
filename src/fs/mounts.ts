// On which kind of file system does a path lie? Asked because LMDB is not safe on network file systems.
import { readFileSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isInside } from './rel-path.ts';

export type FileSystem = {
  /** The kernel's name: ext4, nfs4, fuse.sshfs. 'unknown' where there is no mount table. */
  readonly type: string;
  readonly mountPoint: string;
  readonly source: string;
  readonly network: boolean;
};

const NETWORK = new Set(
  'nfs nfs3 nfs4 lustre gpfs cifs smb3 smbfs smb2 beegfs ceph 9p afs auristorfs pvfs2 orangefs glusterfs panfs wekafs ocfs2 gfs2 coda ncpfs davfs vboxsf prl_fs virtiofs'.split(
    ' ',
  ),
);

/** FUSE file systems that are known to be local; any other FUSE one may be on the network. */
const LOCAL_FUSE = new Set([
  'fuseblk',
  'fuse.ntfs',
  'fuse.ntfs-3g',
  'fuse.exfat',
  'fuse.fuse-overlayfs',
  'fuse.squashfuse',
  'fuse.mergerfs',
  'fuse.lxcfs',
  'fuse.gocryptfs',
  'fuse.encfs',
  'fuse.bindfs',
]);

/** True for the types whose files other hosts may change, and where memory maps are not coherent. */
export const isNetworkType = (type: string): boolean =>
  NETWORK.has(type) || ((type === 'fuse' || type.startsWith('fuse.')) && !LOCAL_FUSE.has(type));

/**
 * The file system that `path` lies on, or would lie on if it were made.
 * @param mountTable text in the format of /proc/self/mountinfo (man 5 proc); default: this process's. Without one, as on
 *   macOS, the type is 'unknown' and taken for local.
 */
export function fileSystemOf(path: string, mountTable: string | undefined = readTable()): FileSystem {
  const real = nearestReal(resolve(path));
  let best: FileSystem | undefined;
  for (const line of (mountTable ?? '').split('\n')) {
    const [mount, source] = line.split(' - ');
    const mountPoint = unescape(mount?.split(' ')[4] ?? '');
    const [type = '', device = ''] = source?.split(' ') ?? [];
    if (mountPoint === '' || type === '' || !isInside(mountPoint, real)) continue;
    // The longest wins; of equal ones the later, which covers the earlier.
    if (best && best.mountPoint.length > mountPoint.length) continue;
    best = { type, mountPoint, source: unescape(device), network: isNetworkType(type) };
  }
  return best ?? { type: 'unknown', mountPoint: '/', source: '', network: false };
}

function readTable(): string | undefined {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return undefined;
  }
}

/** The real path of the nearest folder above that exists, with the rest put back. */
function nearestReal(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : resolve(nearestReal(parent), path.slice(parent.length).replace(/^\//, ''));
  }
}

const unescape = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
