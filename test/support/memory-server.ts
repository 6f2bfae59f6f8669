// An HTTP cache in memory that can be made to misbehave. It holds to what bazel-remote asks of its clients: blobs are named
// by their SHA-256, lengths are announced, what lies under /ac is an ActionResult that is written anew, and one whose blobs
// are not all there is not there.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { shaOf } from './shared.ts';

/** What the server does with a request, instead of answering it: 'answer' goes on. */
export type Misbehaviour = (
  request: IncomingMessage,
  response: ServerResponse,
  stored: Buffer | undefined,
) => 'answer' | void;

export class MemoryServer {
  readonly entries = new Map<string, Buffer>();
  /** Method and path of each request, with its Authorization header where it has one. */
  readonly requests: string[] = [];
  misbehave: Misbehaviour = () => 'answer';
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<MemoryServer> {
    const one = new MemoryServer();
    await new Promise<void>((resolve) => one.#server.listen(0, '127.0.0.1', resolve));
    one.#server.unref();
    return one;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends it at once, whatever is under way. */
  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const { authorization } = request.headers;
    this.requests.push(`${request.method} ${path}${authorization === undefined ? '' : ` ${authorization}`}`);
    if (this.misbehave(request, response, this.entries.get(path)) !== 'answer') return;
    const end = (status: number, body?: Buffer): void => {
      response.writeHead(status, { 'content-length': body?.length ?? 0 });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    if (request.method === 'PUT') {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      if (request.headers['content-length'] === undefined) return end(400);
      const [, kind, hash] = /^\/(ac|cas)\/([0-9a-f]{64})$/.exec(path) ?? [];
      if (kind === undefined || (kind === 'cas' && shaOf(body) !== hash)) return end(400);
      this.entries.set(path, kind === 'ac' ? rewritten(body) : body);
      return end(200);
    }
    if (request.method === 'DELETE') return end(this.entries.delete(path) ? 200 : 404);
    const found = this.entries.get(path);
    const isWhole = !path.startsWith('/ac/') || filesOf(found).every((hash) => this.entries.has(`/cas/${hash}`));
    return found === undefined || !isWhole ? end(404) : end(200, found);
  }
}

type ActionResult = {
  outputFiles?: { path: string; digest: { hash: string; sizeBytes: string } }[];
  stdoutRaw?: string;
};

/** As a program that knows the format writes it: other order, other blanks, the known fields. */
function rewritten(body: Buffer): Buffer {
  const { outputFiles = [], stdoutRaw } = JSON.parse(body.toString()) as ActionResult;
  const files = outputFiles.map(({ path, digest }) => ({
    digest: { sizeBytes: digest.sizeBytes, hash: digest.hash },
    path,
  }));
  return Buffer.from(JSON.stringify({ stdoutRaw, outputFiles: files }, undefined, 1));
}

const filesOf = (body: Buffer | undefined): string[] =>
  body === undefined
    ? []
    : ((JSON.parse(body.toString()) as ActionResult).outputFiles ?? []).map(({ digest }) => digest.hash);
