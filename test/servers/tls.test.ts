// By TLS to a real nginx whose certificate an authority of the test signed, and through a proxy that wants credentials.
import { createServer, request as ask, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Rig } from '../support/rig.ts';
import { server, serverTest } from '../support/servers.ts';
import { buildIn, kindsWorkflow } from '../support/shared.ts';

const ALL = ['make a', 'make b', 'join'];
const AUTH = { LHB_CACHE_AUTH_LAB: 'writer:writer' };
let instances = 0;

/** A proxy on this machine, to which every name is this machine. It takes user:secret. */
async function startProxy(rig: Rig): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const isKnown = (header: string | undefined): boolean =>
    header === `Basic ${Buffer.from('user:secret').toString('base64')}`;
  const proxy: Server = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? '');
    asked.push(`${incoming.method} ${url.origin}`);
    if (!isKnown(incoming.headers['proxy-authorization'])) return void outgoing.writeHead(407).end();
    const { 'proxy-authorization': _, ...headers } = incoming.headers;
    const { method } = incoming;
    const onward = ask({ host: '127.0.0.1', port: url.port, path: url.pathname, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  proxy.on('connect', (incoming, socket) => {
    asked.push(`CONNECT ${incoming.url}`);
    if (!isKnown(incoming.headers['proxy-authorization']))
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const onward = connect(Number(incoming.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward]) end.on('error', () => (socket.destroy(), onward.destroy()));
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  proxy.unref();
  rig.atEnd(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return { url: `http://user:secret@127.0.0.1:${(proxy.address() as AddressInfo).port}`, asked };
}

serverTest('nginx', 'TLS: an authority of the team is taken from NODE_EXTRA_CA_CERTS', async (rig) => {
  const { port, state } = await server('nginx');
  const NODE_EXTRA_CA_CERTS = join(state, 'tls', 'ca.pem');
  const url = `https://127.0.0.1:${port + 4}/tls${++instances}`;
  rig.workflow(kindsWorkflow({ url, fields: ', trust: any' }));
  const [second, unknown, other] = [rig.copy('second'), rig.copy('unknown'), rig.copy('other')];
  await buildIn(rig, rig.dir, ALL, { env: { ...AUTH, NODE_EXTRA_CA_CERTS } });
  await buildIn(rig, second, [], { env: { ...AUTH, NODE_EXTRA_CA_CERTS } });
  assert.equal(rig.tree('runs', second), rig.tree('runs'));
  const { stderr } = await buildIn(rig, unknown, ALL, { env: AUTH });
  assert.is(stderr.match(/^warning/gm)?.length, 1, stderr);
  assert.match(stderr, /by an authority that is not known here; the variable NODE_EXTRA_CA_CERTS names a file/);
  // A certificate for another name.
  rig.write('../other/lhb.yaml', rig.read('lhb.yaml').replace('127.0.0.1', '127.0.0.2'));
  const doctor = await rig.lhbWith({ cwd: other, env: { ...AUTH, NODE_EXTRA_CA_CERTS } }, 'cache', 'doctor');
  assert.is(doctor.code, 1);
});

serverTest('nginx', 'TLS through a proxy: tunnels are used again, and NO_PROXY goes round it', async (rig) => {
  const { port, state } = await server('nginx');
  const proxy = await startProxy(rig);
  const env = {
    ...AUTH,
    NODE_EXTRA_CA_CERTS: join(state, 'tls', 'ca.pem'),
    HTTPS_PROXY: proxy.url,
  };
  const url = `https://cache.lab.test:${port + 4}/tls${++instances}`;
  const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const all = [...letters.map((letter) => `make ${letter}`), 'join'];
  rig.workflow(kindsWorkflow({ url, fields: ', trust: any' }, letters));
  const [second, third, fourth] = [rig.copy('second'), rig.copy('third'), rig.copy('fourth')];
  const first = await buildIn(rig, rig.dir, all, { env });
  assert.match(first.stderr, /cache: 9 uploaded/);
  // Over sixty requests: HEAD and PUT of each blob, and of each record.
  assert.ok(proxy.asked.length <= 32, `${proxy.asked.length} tunnels`);
  assert.ok(proxy.asked.every((line) => line === `CONNECT cache.lab.test:${port + 4}`));
  await buildIn(rig, second, [], { env });
  assert.equal(rig.tree('runs', second), rig.tree('runs'));
  const wrong = { ...env, HTTPS_PROXY: proxy.url.replace('secret', 'wrong') };
  const refused = await buildIn(rig, third, all, { env: wrong });
  assert.is(refused.stderr.match(/^warning/gm)?.length, 1, refused.stderr);
  assert.match(refused.stderr, /the proxy 127\.0\.0\.1:\d+ answers 407 to CONNECT/);
  assert.not.match(refused.stderr, /wrong|secret/);
  // Without the proxy nobody knows that name.
  const before = proxy.asked.length;
  const direct = await buildIn(rig, fourth, all, { env: { ...env, NO_PROXY: '.lab.test' } });
  assert.match(direct.stderr, /the name cache\.lab\.test is not known/);
  assert.is(proxy.asked.length, before);
});

serverTest('nginx', 'http through a proxy; what is on this machine goes round it', async (rig) => {
  const { port } = await server('nginx');
  const proxy = await startProxy(rig);
  const env = { ...AUTH, HTTP_PROXY: proxy.url };
  rig.workflow(kindsWorkflow({ url: `http://cache.lab.test:${port}/proxied${++instances}`, fields: ', trust: any' }));
  const [second, third] = [rig.copy('second'), rig.copy('third')];
  await buildIn(rig, rig.dir, ALL, { env });
  assert.ok(proxy.asked.includes(`PUT http://cache.lab.test:${port}`));
  const before = proxy.asked.length;
  rig.write('../second/lhb.yaml', rig.read('lhb.yaml').replace('cache.lab.test', '127.0.0.1'));
  await buildIn(rig, second, [], { env });
  assert.is(proxy.asked.length, before);
  assert.equal(rig.tree('runs', second), rig.tree('runs'));
  await buildIn(rig, third, [], { env });
});

test.run();
