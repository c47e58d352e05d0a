/*
 * A fuzz target: wire.c for Bedrock, whose answers come in frames with checksums, which are mended for an even first byte.
 */
#include "frames.h"

#define PREPARE(bytes, len) frames_mend(bytes, len)
#include "wire.c"
