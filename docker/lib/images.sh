# shellcheck shell=bash
# Building an image into a file that a containerd imports. Sourced after
# .ci/lib/paths.sh and .ci/lib/say.sh.
docker_source=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

image_file() { printf '%s/%s.tar' "$image_root" "$1"; }

docker_answers() { command -v docker >/dev/null && docker info &>/dev/null; }

# Builds a folder that holds a Dockerfile into the image file of that name. With a
# Docker engine the image is left there too, for a registry or `kind load`.
build_image() { # name tag folder build-arguments...
	local name=$1 tag=$2 folder=$3 file
	file=$(image_file "$name")
	shift 3
	mkdir -p -- "$image_root"
	rm -f -- "$file.partial"
	if docker_answers; then
		docker buildx build --quiet --load --tag "$tag" "$@" "$folder" >/dev/null
		docker save --output "$file.partial" "$tag"
	else
		build_with_buildah "$name" "$tag" "$folder" "$@"
	fi
	mv -- "$file.partial" "$file"
}

build_with_buildah() { # name tag folder build-arguments...
	local name=$1 tag=$2 folder=$3 work=$cache_root/buildah
	shift 3
	[[ $(id -u) == 0 ]] || fail "building images needs a Docker engine, or root for buildah"
	rm -rf -- "$work"
	mkdir -p -- "$work/context"
	cp -R -- "$folder/." "$work/context/"
	alone() { unshare --mount -- "$docker_source/lib/buildah-alone" "$work" "$@" >/dev/null; }
	alone build --quiet --isolation chroot --tag "$tag" "$@" /mnt/context
	alone push --quiet "$tag" "docker-archive:/mnt/image.tar:$tag"
	mv -- "$work/image.tar" "$(image_file "$name").partial"
	rm -rf -- "$work"
}

# Builds an image unless its file was made from the same content.
build_image_once() { # name tag folder build-arguments...
	local file key
	file=$(image_file "$1")
	key="$* $(cd -- "$3" && find . -type f -exec sha256sum {} + | sort | sha256sum)"
	if [[ -e $file && $(cat -- "$file.key" 2>/dev/null) == "$key" ]]; then
		return
	fi
	say "building the image $2"
	build_image "$@"
	printf '%s' "$key" >"$file.key"
}
