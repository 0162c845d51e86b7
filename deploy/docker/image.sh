#!/usr/bin/env bash
# Builds the image with buildah, checks what it promises, runs the main job in it: ./dev image. --help lists the arguments.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

readonly PYTHON=/usr/bin/python3 SUITE=trixie
readonly OUT=build/image/out
# The vfs driver and chroot isolation work inside most containers, too; both can be set from outside.
export STORAGE_DRIVER="${STORAGE_DRIVER:-vfs}" BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}"

usage() {
  cat <<'TEXT'
usage: ./dev image [--base IMAGE] [--fresh] [--twice] [--tag NAME]

  --base IMAGE   a Debian 13 to build from, such as debian:trixie-slim; without it one is made by debootstrap and kept
  --fresh        make that base again, with the packages as the mirror has them now
  --twice        build a second time, compiling everything again, and compare the digests
  --tag NAME     how the image is called (default localhost/refund-relay:dev)

Leaves in build/image/out: the image as an archive (refund-relay.tar), its SBOM, its debug symbols, its digest.
Needs root: it mounts, and makes a Debian.
TEXT
}

say() { printf 'image: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

base='' fresh='' twice='' tag=localhost/refund-relay:dev
while [ $# -gt 0 ]; do
  case $1 in
    --base | --tag)
      [ $# -gt 1 ] || die "$1 needs a value"
      [ "$1" = --base ] && base=$2 || tag=$2
      shift
      ;;
    --fresh) fresh=1 ;;
    --twice) twice=1 ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done
[ "$(id -u)" = 0 ] || die "this needs root: sudo ./dev image"

containers=() # of buildah, removed at the end
clean_up() { [ ${#containers[@]} -eq 0 ] || buildah rm "${containers[@]}" >/dev/null; }
trap clean_up EXIT

# ---- the base: Debian 13 and the packages that build, from the mirror that this machine uses ----

debian_mirror() {
  local uri
  uri=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
    sed -n 's,^Debian \(.*/debian\)/$,\1,p' | sort -u | head -n 1)
  echo "${uri:-http://deb.debian.org/debian}"
}

make_base() { # name
  local mirror container root
  mirror=$(debian_mirror)
  say "making $1: debootstrap of $SUITE from $mirror, and the packages that build"
  container=$(buildah from scratch)
  containers+=("$container")
  root=$(buildah mount "$container")
  debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$SUITE" "$root" "$mirror" \
    >"$OUT/debootstrap.log" 2>&1 || die "debootstrap failed: $(tail -n 5 "$OUT/debootstrap.log")"
  rm -rf "$root"/var/cache/apt/archives/*.deb
  cat >"$root/etc/apt/sources.list.d/debian.sources" <<TEXT
Types: deb
URIs: $mirror
Suites: $SUITE $SUITE-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: $mirror-security
Suites: $SUITE-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
TEXT
  : >"$root/etc/apt/sources.list"
  buildah run "$container" -- sh -ec 'apt-get -qq update && apt-get -qq -y dist-upgrade >/dev/null'
  buildah copy --quiet "$container" dev /src/dev >/dev/null
  buildah run "$container" -- sh -ec '/src/dev setup build image-builder; rm -r /src; apt-get clean; rm -rf /var/lib/apt/lists/*'
  buildah commit --quiet "$container" "$1" >/dev/null
}

mkdir -p "$OUT"
if [ -z "$base" ]; then
  base=localhost/refund-relay-base:$SUITE
  if [ -n "$fresh" ] || ! buildah inspect --type image "$base" >/dev/null 2>&1; then make_base "$base"; fi
fi
