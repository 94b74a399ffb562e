# shellcheck shell=bash
# What this machine is called: `target` by Rust, `architecture` by images and in
# dist/. Sourced after .ci/lib/say.sh.

case $(uname -m) in
x86_64) target=x86_64-unknown-linux-gnu architecture=amd64 ;;
aarch64) target=aarch64-unknown-linux-gnu architecture=arm64 ;;
*) fail "redyno is built on x86_64 and aarch64, not on $(uname -m)" ;;
esac

export target architecture
