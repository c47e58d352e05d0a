/*
 * Texts into vectors, by the provider of EMBEDDING_MODEL: OpenAI and its kind, Azure, Ollama, Gemini, Cohere, Bedrock (Titan, Cohere), TEI.
 *
 * Neighbours: fetch.h. Leaves out: what vectors are good for.
 */
#ifndef PARLEY_EMBED_H
#define PARLEY_EMBED_H

#include <stddef.h>

#include "../base/outcome.h"

/* Several models want to know what a text is for. */
enum embed_purpose { EMBED_DOCUMENT, EMBED_QUESTION };

struct embed_result {
    float *vectors;    /* one after the other, `size` numbers each, all of length 1; to be freed with mem_free() */
    size_t size;       /* numbers in a vector */
    char model[256];   /* provider/model: vectors of different ones cannot be compared */
};

/* Makes a vector of each of `count` texts (none of them empty), in as many requests as the provider needs. OUTCOME_PROVIDER_…, OUTCOME_NO_MEMORY, OUTCOME_BAD_FIELD when no
   embedding model is set or its provider has none. */
enum outcome embed_texts(const char *const texts[], size_t count, enum embed_purpose purpose, struct embed_result *result, struct failure *failure);

#endif
