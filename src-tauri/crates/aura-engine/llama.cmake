# Included by llama.cpp's build: see `.cargo/config.toml`. Leaves out what the engine does not use. The crate llama-cpp-sys-2 builds the
# first although llama-cpp-2 does not ask for it, which takes a quarter of the time; the second runs the program ffmpeg.
set(LLAMA_BUILD_COMMON OFF CACHE BOOL "" FORCE)
set(MTMD_VIDEO OFF CACHE BOOL "" FORCE)

# Builds the code around the arithmetic faster. The arithmetic is in the ggml targets, which stay as they are.
function(build_models_faster)
    # Of vision models there are fifty small files that all read the same headers.
    set_target_properties(mtmd PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
    get_target_property(sources mtmd SOURCES)
    list(FILTER sources EXCLUDE REGEX "^models/")
    list(TRANSFORM sources PREPEND tools/mtmd/)
    set_source_files_properties(${sources} TARGET_DIRECTORY mtmd PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    # `OPT_LEVEL` is set by Cargo, and 0 in development. MSVC has no such option.
    if("$ENV{OPT_LEVEL}" STREQUAL "0" AND NOT MSVC)
        target_compile_options(llama PRIVATE -O1)
        target_compile_options(mtmd PRIVATE -O1)
    endif()
endfunction()
if(PROJECT_NAME STREQUAL "llama.cpp")
    cmake_language(DEFER CALL build_models_faster)
endif()
