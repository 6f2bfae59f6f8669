#!/bin/bash
# Puts the qsub, qstat and qdel that come with Slurm for users of Torque and PBS below a folder, without installing them: their
# package and that of Grid Engine's clients exclude one another. Prints lines `NAME=VALUE` for the environment on stdout.
set -eu
dir=$1
arch=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2> /dev/null || echo "$(uname -m)-linux-gnu")
mkdir -p "$dir"
cd "$dir"
if [ ! -e root/usr/bin/qsub ]; then
  packages=(slurm-wlm-torque libslurm-perl libslurmdb-perl libswitch-perl libslurm38)
  apt-get -qq download "${packages[@]}" >&2 || {
    apt-get -o DPkg::Lock::Timeout=300 -qq update >&2
    apt-get -qq download "${packages[@]}" >&2
  }
  for package in *.deb; do dpkg -x "$package" root; done
  # They call those that lie beside them.
  for program in sbatch squeue scancel scontrol sacct; do ln -sf "$(command -v $program)" root/usr/bin; done
fi
perl=$(ls -d "$dir/root/usr/lib/$arch"/perl5/*)
echo "LHB_TORQUE_BIN=$dir/root/usr/bin"
echo "PERL5LIB=$perl:$dir/root/usr/share/perl5"
echo "LD_LIBRARY_PATH=$dir/root/usr/lib/$arch"
