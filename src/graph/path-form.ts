// Paths come in two forms. The portable form writes the output root as it is written in the workflow, `${{ output }}`:
// it is what keys see, so that two people with different roots agree. The actual form is what jobs and users see.

export const OUTPUT_TOKEN = '${{ output }}';

/** A value in which paths of outputs may stand, in both forms; one and the same object where none do. */
export type TwoForms<T> = { readonly actual: T; readonly portable: T };

/** Which form expressions see at the moment. One object a graph; all its jobs ask it. */
export class PathForm {
  /** The workflow's output root, from its folder. */
  readonly root: string;
  private portable = false;

  constructor(root: string) {
    this.root = root;
  }

  get isPortable(): boolean {
    return this.portable;
  }

  /** What the name `output` means in this form. */
  get output(): string {
    return this.portable ? OUTPUT_TOKEN : this.root;
  }

  /** A portable path in the form of the moment. */
  show(portablePath: string): string {
    return this.portable ? portablePath : this.actual(portablePath);
  }

  /** A portable path as it is on disk, from the workflow's folder. */
  actual(portablePath: string): string {
    if (!portablePath.includes(OUTPUT_TOKEN)) return portablePath;
    // As nearly all do.
    if (portablePath.lastIndexOf(OUTPUT_TOKEN) === 0 && !this.root.startsWith('./'))
      return this.root + portablePath.slice(OUTPUT_TOKEN.length);
    const path = portablePath.replaceAll(OUTPUT_TOKEN, this.root);
    return path.startsWith('./') ? path.slice(2) : path;
  }

  /** Runs `work` with expressions seeing portable paths. */
  inPortable<T>(work: () => T): T {
    const before = this.portable;
    this.portable = true;
    try {
      return work();
    } finally {
      this.portable = before;
    }
  }
}
