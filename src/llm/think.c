/*
 * The splitter of think.h: a few states over single bytes; only the beginning of an answer ever comes here, later text is passed on whole.
 */
#include "think.h"

#include <string.h>

static const char open_tag[] = "<think>", close_tag[] = "</think>";

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void give(struct think *think, bool reasoning, think_out *out, void *arg)
{
    if (think->held_len > 0)
        out(arg, reasoning, think->held, think->held_len);
    think->held_len = 0;
}

/* Before the answer: white space, then perhaps the tag. Returns how many bytes were taken. */
static size_t feed_start(struct think *think, const char *text, size_t len, think_out *out, void *arg)
{
    for (size_t i = 0; i < len; i++) {
        size_t spaces = 0;
        while (spaces < think->held_len && is_space(think->held[spaces]))
            spaces++;
        size_t tag = think->held_len - spaces;
        bool fits = tag < sizeof open_tag - 1 && ((tag == 0 && is_space(text[i])) || text[i] == open_tag[tag]);
        if (!fits || think->held_len == THINK_HELD_BYTES) {
            give(think, false, out, arg);
            think->state = THINK_TEXT;
            return i;
        }
        think->held[think->held_len++] = text[i];
        if (tag + 1 == sizeof open_tag - 1 && !is_space(text[i])) {
            think->held_len = 0;
            think->state = THINK_INSIDE;
            return i + 1;
        }
    }
    return len;
}

/* Inside: pass on what cannot be the beginning of the closing tag. */
static size_t feed_inside(struct think *think, const char *text, size_t len, think_out *out, void *arg)
{
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        if (think->held_len > 0 && text[i] != close_tag[think->held_len])
            give(think, true, out, arg);
        if (think->held_len == 0 && text[i] != '<')
            continue;
        if (think->held_len == 0) {
            if (i > from)
                out(arg, true, text + from, i - from);
        }
        think->held[think->held_len++] = text[i];
        from = i + 1;
        if (think->held_len == sizeof close_tag - 1) {
            think->held_len = 0;
            think->state = THINK_AFTER;
            return i + 1;
        }
    }
    if (len > from)
        out(arg, true, text + from, len - from);
    return len;
}

void think_feed(struct think *think, const char *text, size_t len, think_out *out, void *arg)
{
    while (len > 0) {
        size_t n = len;
        switch (think->state) {
        case THINK_START:
            n = feed_start(think, text, len, out, arg);
            break;
        case THINK_INSIDE:
            n = feed_inside(think, text, len, out, arg);
            break;
        case THINK_AFTER: /* the empty lines between thinking and answer */
            for (n = 0; n < len && is_space(text[n]); n++)
                continue;
            if (n < len)
                think->state = THINK_TEXT;
            break;
        case THINK_TEXT:
            out(arg, false, text, len);
            break;
        }
        text += n;
        len -= n;
    }
}

void think_end(struct think *think, think_out *out, void *arg)
{
    give(think, think->state == THINK_INSIDE, out, arg);
    think->state = THINK_TEXT;
}
