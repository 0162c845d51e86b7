#!/usr/bin/env bash
# Builds the image with buildah, checks what it promises, runs the main job in it: ./dev image. --help lists the arguments.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

readonly PYTHON=/usr/bin/python3 SUITE=trixie
readonly OUT=build/image/out
# What the image depends on in this tree.
readonly SOURCES=(dev CMakeLists.txt CMakePresets.json cmake proto server client tests/testdata deploy/docker)
# Isolation by chroot works inside most containers, too. STORAGE_DRIVER=vfs does where overlay is refused.
export BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}"
buildah() { command buildah ${STORAGE_DRIVER:+--storage-driver "$STORAGE_DRIVER"} "$@"; }

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
  # shellcheck disable=SC2016 # apt's own variables
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

# ---- the image ----

# Sets version, revision and epoch: what the labels say, and the time that every file bears.
describe_source() {
  version=$(sed -n 's/^project(refund_relay VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
  revision=unknown epoch=${SOURCE_DATE_EPOCH:-0}
  if git rev-parse --git-dir >/dev/null 2>&1; then
    revision=$(git rev-parse HEAD)
    [ -z "$(git status --porcelain -- "${SOURCES[@]}")" ] || revision+=-dirty
    epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
  fi
}

# A tag that moves leaves its old image behind; this removes it, unless somebody else named or uses it.
build_stage() { # stage, name, arguments...
  local stage=$1 name=$2 old
  shift 2
  old=$(buildah images --quiet "$name" 2>/dev/null || true)
  buildah build --layers=false --timestamp "$epoch" --file deploy/docker/Dockerfile --target "$stage" --tag "$name" \
    --build-arg BASE="$base" --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    --build-arg SOURCE_DATE_EPOCH="$epoch" --build-arg CREATED="$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)" "$@" . \
    >"$OUT/build.log" 2>&1 || die "cannot build $stage: $(tail -n 30 "$OUT/build.log")"
  if [ -n "$old" ] && [ "$old" != "$(buildah images --quiet "$name")" ]; then buildah rmi "$old" >/dev/null 2>&1 || true; fi
}

build_image() { # name, arguments...
  local name=$1
  shift
  build_stage assembled "$name-parts" "$@"
  build_stage runtime "$name" --build-arg ASSEMBLED="$name-parts"
  # buildah 1.28 leaves the container of a stage that is only FROM.
  buildah containers --quiet --filter ancestor="$name-parts" | while read -r container; do buildah rm "$container" >/dev/null; done
}

# What a registry would call it: the digest of the manifest with compressed layers.
digest_of() { # name
  rm -rf "$OUT/oci"
  buildah push --quiet --digestfile "$OUT/digest" "$1" "oci:$OUT/oci" >/dev/null
  rm -rf "$OUT/oci"
  cat "$OUT/digest"
}

# A container of an image, only to look at; sets `mounted`.
mount_image() { # name
  local container
  container=$(buildah from "$1")
  containers+=("$container")
  mounted=$(buildah mount "$container")
}

mkdir -p "$OUT"
if [ -z "$base" ]; then
  base=localhost/refund-relay-base:$SUITE
  if [ -n "$fresh" ] || ! buildah inspect --type image "$base" >/dev/null 2>&1; then make_base "$base"; fi
fi

describe_source
say "building $tag: version $version, revision $revision, from $base"
build_image "$tag"
digest=$(digest_of "$tag")
mount_image "$tag-parts"
rm -rf "$OUT/debug"
cp -r "$mounted/artifacts/." "$OUT/"
rm -f "$OUT/refund-relay.tar"
buildah push --quiet "$tag" "docker-archive:$OUT/refund-relay.tar:$tag" >/dev/null
buildah inspect --type image "$tag" >"$OUT/inspect.json"

say "checking what it holds, then running the main job in it"
mount_image "$tag"
IMAGE_ROOT=$mounted IMAGE_CONFIG=$PWD/$OUT/inspect.json IMAGE_ARTIFACTS=$PWD/$OUT PYTHONDONTWRITEBYTECODE=1 \
  PYTHONPATH=tests/image "$PYTHON" -m unittest image_content image_run || die "the image does not keep its promises"

if [ -n "$twice" ]; then
  say "building again without any cache of compiled files"
  build_image localhost/refund-relay-twice:dev --build-arg CCACHE_DISABLE=1
  again=$(digest_of localhost/refund-relay-twice:dev)
  echo "$digest" >"$OUT/digest"
  [ "$again" = "$digest" ] || die "two builds differ: $digest and $again; compare $tag with localhost/refund-relay-twice:dev"
  buildah rmi localhost/refund-relay-twice:dev localhost/refund-relay-twice:dev-parts >/dev/null
  say "the second build has the same digest"
fi

cat >&2 <<TEXT

$(head -n 12 "$OUT/sizes.txt")
bytes by Debian package and folder, the largest first; all: $OUT/sizes.txt

image    $tag, $(du -s --apparent-size --block-size=1 "$mounted" | cut -f 1) bytes of files
digest   $digest
archive  $OUT/refund-relay.tar
SBOM     $OUT/refund-relay.spdx.json
symbols  $OUT/debug (gdb: set debug-file-directory $PWD/$OUT/debug)
TEXT
