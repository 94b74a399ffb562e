# shellcheck shell=bash
# Images of the tests and of the product: building one into a file that a
# containerd imports. Sourced after all.sh.

image_file() { printf '%s/%s.tar' "$image_root" "$1"; }

# Everything of buildah under the cache, in a storage of its own.
private_buildah() {
	local storage=$cache_root/buildah
	mkdir -p -- "$storage/temporary"
	TMPDIR=$storage/temporary buildah --root "$storage/root" --runroot "$storage/run" \
		--storage-driver vfs "$@"
}

# With a Docker engine the image also lands there, for a registry or `kind load`.
docker_answers() { command -v docker >/dev/null && docker info &>/dev/null; }

# Builds a folder with a Dockerfile into a file, tagged.
build_image() { # name tag context build-arguments...
	local file partial context=$3 tag=$2
	file=$(image_file "$1")
	partial=$file.partial
	shift 3
	mkdir -p -- "$image_root"
	rm -f -- "$partial"
	if docker_answers; then
		docker buildx build --quiet --load --tag "$tag" "$@" "$context" >/dev/null
		docker save --output "$partial" "$tag"
	else
		private_buildah build --quiet --isolation chroot --layers=false --tag "$tag" "$@" "$context" >/dev/null
		private_buildah push --quiet "$tag" "docker-archive:$partial:$tag" >/dev/null
		private_buildah rmi --force "$tag" >/dev/null
	fi
	mv -- "$partial" "$file"
}
