#!/usr/bin/env bash
# Build the image of docs/deploy/Containerfile, and run its commands as Kubernetes would: read-only root, 10001:10001.
#
# Its base is made by debootstrap, so that no container registry is needed. pip downloads the packages on this machine,
# with its settings, and the build installs them from a folder.
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=$PWD/.venv/bin
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

fail() { echo "test-image: $1" >&2; exit 1; }
test "$(id -u)" = 0 || fail "debootstrap and mounts need root: run it as root (sudo make test-image)"
missing=()
for tool in buildah debootstrap; do command -v "$tool" >/dev/null || missing+=("$tool"); done
if ((${#missing[@]})); then
  echo "Installing ${missing[*]}"
  { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${missing[@]}"; } \
    >/dev/null 2>&1 || fail "install Debian's packages ${missing[*]}, then run make again"
fi

# The mirror of this machine.
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" | head -n 1)
test -n "$mirror" || fail "apt has no sources of Debian $suite: run it on Debian"

work=$(mktemp -d)
simulator=
cleanup() {
  test -z "$simulator" || kill "$simulator" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
image() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

echo "Making the base image"
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$work/base" "$mirror" \
  >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; fail "debootstrap failed"; }
ln -s python3 "$work/base/usr/bin/python"
base=$(image from scratch)
image add --quiet "$base" "$work/base" / >/dev/null
image commit --quiet --rm "$base" localhost/tfy-etl-base >/dev/null
python=$(chroot "$work/base" python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
rm -rf "$work/base"

echo "Building the image"
"$bin/pip" download --quiet --only-binary=:all: --python-version "$python" --require-hashes \
  --requirement requirements/container.txt --dest "$work/wheels" >"$work/pip.log" 2>&1 ||
  { tail -n 20 "$work/pip.log" >&2; fail "the packages cannot be downloaded"; }
printf '[global]\nno-index = true\nfind-links = /wheels\n' >"$work/pip.conf"
image build --quiet --isolation chroot --file docs/deploy/Containerfile --tag localhost/tfy-etl \
  --build-arg BASE=localhost/tfy-etl-base --build-arg REVISION="$(git rev-parse HEAD)" \
  --volume "$work/wheels:/wheels:ro" --volume "$work/pip.conf:/etc/pip.conf:ro" . >"$work/build.log" 2>&1 ||
  { tail -n 20 "$work/build.log" >&2; fail "the build failed"; }

container=$(image from localhost/tfy-etl)
config() { image inspect --format "{{$1}}" "$container"; }
user=$(config .OCIv1.Config.User)
test "$user" = 10001:10001 || fail "the image's user is $user"
test "$(config .OCIv1.Config.Entrypoint)" = "[tfy-etl]" || fail "the image's entrypoint is another command"
root=$(image mount "$container")
install -d -o 10001 -g 10001 "$work/data"

TFY_API_KEY=demo-token "$bin/tfy-etl" simulate --port 0 >"$work/simulate.log" 2>&1 &
simulator=$!
host=
for _ in $(seq 120); do
  host=$(grep -o 'http://127[.]0[.]0[.]1:[0-9]*' "$work/simulate.log" | head -n 1 || true)
  test -z "$host" || break
  sleep 0.5
done
test -n "$host" || { cat "$work/simulate.log" >&2; fail "the simulated control plane did not start"; }

# In a mount namespace of its own: the image read-only, as readOnlyRootFilesystem makes it, and a volume at /data.
export root data="$work/data"
in_image() {
  unshare --mount bash -ec '
    mount --bind "$root" "$root"
    mount -o remount,bind,ro "$root"
    mount --bind "$data" "$root/data"
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    exec chroot --userspec=10001:10001 --groups= "$root" /usr/bin/env -i -C /data "$@"' in_image \
    PATH=/opt/tfy-etl/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 TFY_HOST="$host" TFY_API_KEY=demo-token \
    TFY_ETL_DATABASE_URL=sqlite:////data/registry.db TFY_ETL_PROGRESS=false TFY_ETL_OUTPUT=json "$@"
}
test "$(in_image id -u):$(in_image id -g)" = 10001:10001 || fail "the commands run as another user"
said=$(in_image python -c 'open("/opt/tfy-etl/probe", "w")' 2>&1) && fail "the root file system is writable"
grep -q 'Read-only file system' <<<"$said" || fail "the write to the root file system failed otherwise: $said"

echo "Running the commands in it"
in_image tfy-etl db upgrade
in_image tfy-etl sync | tee "$work/result.json"
"$bin/python" -c '
import json, sys
result = json.load(open(sys.argv[1]))
assert result["complete"] and result["models"]["inserted"] == 40, result' "$work/result.json"
in_image tfy-etl prune --keep 90d
echo "The image works: db upgrade, sync and prune, read-only, as 10001:10001"
