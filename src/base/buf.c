/*
 * The string builder of buf.h.
 */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

static char nothing[1]; /* what an empty buffer points to; never written */

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.data = nothing, .max = max};
}

void buf_free(struct buf *buf)
{
    if (buf->cap > 0)
        mem_free(buf->data);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->cap > 0)
        buf->data[0] = '\0';
}

static void give_up(struct buf *buf)
{
    buf_free(buf);
    buf->failed = true;
}

bool buf_reserve(struct buf *buf, size_t more)
{
    if (buf->failed || more > buf->max - buf->len)
        return false;
    size_t need = buf->len + more + 1; /* and the NUL */
    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap > 0 ? buf->cap : 64;
    while (cap < need)
        cap *= 2;
    if (cap > buf->max + 1)
        cap = buf->max + 1;
    char *data = mem_resize(buf->cap > 0 ? buf->data : NULL, cap);
    if (data == NULL)
        return false;
    data[buf->len] = '\0';
    buf->data = data;
    buf->cap = cap;
    return true;
}

/* As buf_reserve(), but what does not fit is lost for good. */
static bool reserve(struct buf *buf, size_t more)
{
    bool fits = buf_reserve(buf, more);
    if (!fits)
        give_up(buf);
    return fits;
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (len == 0 || !reserve(buf, len))
        return;
    memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        give_up(buf);
    else if (reserve(buf, (size_t)n))
        buf->len += (size_t)vsnprintf(buf->data + buf->len, (size_t)n + 1, format, again);
    va_end(again);
}

void buf_drop(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        bool failed = buf->failed;
        buf_clear(buf);
        buf->failed = failed;
        return;
    }
    if (len == 0)
        return;
    memmove(buf->data, buf->data + len, buf->len - len + 1);
    buf->len -= len;
}

bool buf_failed(const struct buf *buf)
{
    return buf->failed;
}

char *buf_take(struct buf *buf)
{
    if (buf->failed)
        return NULL;
    if (buf->cap == 0)
        return mem_copy("");
    char *data = buf->data;
    buf_init(buf, buf->max);
    return data;
}
