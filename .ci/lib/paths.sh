# shellcheck shell=bash
# Where the project's scripts keep what they make. Sourced, never run.
# Nothing is written outside this folder.

cache_root=${XDG_CACHE_HOME:-$HOME/.cache}/redyno
# Kept for good: the image files.
image_root=$cache_root/images

export cache_root image_root
