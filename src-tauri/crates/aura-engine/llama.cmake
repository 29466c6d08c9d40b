# Included by llama.cpp's build: see `.cargo/config.toml`. Leaves out what the engine does not use. The crate llama-cpp-sys-2 builds the
# first although llama-cpp-2 does not ask for it, which takes a quarter of the time; the second runs the program ffmpeg.
set(LLAMA_BUILD_COMMON OFF CACHE BOOL "" FORCE)
set(MTMD_VIDEO OFF CACHE BOOL "" FORCE)
