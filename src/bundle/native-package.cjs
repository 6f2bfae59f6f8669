// Stands in for node-gyp-build-optional-packages in the bundle: finds the native part of lmdb and of msgpackr-extract in
// 1 ms instead of 20, on the usual platforms. Everywhere else, and where anything is unusual, the package itself is asked.
const { existsSync } = require('node:fs');
const { createRequire } = require('node:module');
const { arch, env, platform, versions } = require('node:process');
const { basename, dirname, join } = require('node:path');

/** @param given a package's folder, or a package that msgpackr uses: found from there, wherever npm has put it */
module.exports = (given) => {
  const dir = given.includes('/') ? given : dirname(['lmdb', 'msgpackr', given].reduce(resolveFrom, __filename));
  const here = createRequire(join(dir, 'package.json'));
  const prebuilt = usual(dir) ? findPrebuilt(here, basename(dir)) : undefined;
  return prebuilt === undefined ? here('node-gyp-build-optional-packages')(dir) : here(prebuilt);
};

/** @napi-rs/blake-hash: its own entry reads what `ldd` is to find out which file to load. */
module.exports.blakeHash = () => {
  try {
    if (usual(__dirname)) return require(`@napi-rs/blake-hash-${platform}-${arch}-gnu`);
  } catch {
    // elsewhere, or not at all: the package knows
  }
  return require('@napi-rs/blake-hash');
};

const resolveFrom = (file, name) => createRequire(file).resolve(name);

/** glibc, nothing compiled here, nothing asked for by the environment. */
function usual(dir) {
  const name = basename(dir).toUpperCase().replaceAll('-', '_');
  return (
    platform === 'linux' &&
    !versions.electron &&
    env.LIBC === undefined &&
    env[`${name}_PREBUILD`] === undefined &&
    !existsSync(join(dir, 'build')) &&
    !existsSync(join(dir, 'prebuilds')) &&
    existsSync(`/lib64/ld-linux-${arch === 'arm64' ? 'aarch64.so.1' : 'x86-64.so.2'}`)
  );
}

function findPrebuilt(here, name) {
  try {
    const folder = dirname(here.resolve(`@${name}/${name}-${platform}-${arch}`));
    return [`node.abi${versions.modules}.glibc.node`, 'node.napi.glibc.node']
      .map((file) => join(folder, file))
      .find((file) => existsSync(file));
  } catch {
    return undefined;
  }
}
