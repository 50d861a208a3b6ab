/* Byte pairs: a word is taken apart into characters, and neighbours melt in the order in which the merges are listed.
 */
#include <stdlib.h>
#include <string.h>

#include "core/data/tokens_inside.h"

/* Parts of a word as a list; bytes 0: melted into another. */
typedef struct symbol {
    uint32_t id;
    size_t bytes;
    int64_t previous, next;
} symbol;

/* Two neighbours that may melt, the left one at `at`. */
typedef struct offer {
    uint32_t rank, id;
    size_t at;
} offer;

typedef struct word {
    const lm_word_model *m;
    LM_VEC(symbol) part;
    LM_VEC(offer) heap; /* the smallest first */
} word;

static uint64_t pair_of(uint32_t left, uint32_t right)
{
    return ((uint64_t)left << 32 | right) + 1;
}

static size_t slot_of(const lm_merge *table, size_t slots, uint64_t pair)
{
    size_t at = (size_t)((pair * 0x9e3779b97f4a7c15u) >> 20) & (slots - 1);
    while (table[at].pair && table[at].pair != pair)
        at = (at + 1) & (slots - 1);
    return at;
}

static const lm_merge *find(const lm_word_model *m, uint32_t left, uint32_t right)
{
    if (!m->merges)
        return NULL;
    const lm_merge *found = &m->merge[slot_of(m->merge, m->merges, pair_of(left, right))];
    return found->pair ? found : NULL;
}

static bool sooner(const offer *a, const offer *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static lm_status push(word *w, offer o)
{
    LM_TRY(lm_vec_push(&w->heap, o));
    offer *h = w->heap.at;
    size_t i = w->heap.count - 1;
    for (; i && sooner(&o, &h[(i - 1) / 2]); i = (i - 1) / 2)
        h[i] = h[(i - 1) / 2];
    h[i] = o;
    return LM_OK;
}

static offer pop(word *w)
{
    offer *h = w->heap.at;
    const offer top = h[0], last = h[--w->heap.count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->heap.count; i = child) {
        child += child + 1 < w->heap.count && sooner(&h[child + 1], &h[child]);
        if (!sooner(&h[child], &last))
            break;
        h[i] = h[child];
    }
    if (w->heap.count)
        h[i] = last;
    return top;
}

/* Offers the part at `left` and the one behind it. */
static lm_status propose(word *w, int64_t left)
{
    if (left < 0 || w->part.at[left].next < 0)
        return LM_OK;
    const symbol *s = &w->part.at[left];
    const lm_merge *m = find(w->m, s->id, w->part.at[s->next].id);
    return m ? push(w, (offer){m->rank, m->id, (size_t)left}) : LM_OK;
}

static lm_status melt(word *w)
{
    for (size_t i = 0; i + 1 < w->part.count; i++)
        LM_TRY(propose(w, (int64_t)i));
    while (w->heap.count) {
        const offer o = pop(w);
        symbol *s = &w->part.at[o.at];
        if (!s->bytes || s->next < 0)
            continue;
        symbol *right = &w->part.at[s->next];
        const lm_merge *m = find(w->m, s->id, right->id);
        if (!m || m->id != o.id) /* one of the two has changed since */
            continue;
        s->id = o.id;
        s->bytes += right->bytes;
        s->next = right->next;
        right->bytes = 0;
        if (s->next >= 0)
            w->part.at[s->next].previous = (int64_t)o.at;
        LM_TRY(propose(w, s->previous));
        LM_TRY(propose(w, (int64_t)o.at));
    }
    return LM_OK;
}

static lm_status add(word *w, int64_t id, size_t bytes)
{
    const int64_t at = (int64_t)w->part.count;
    if (at)
        w->part.at[at - 1].next = at;
    return lm_vec_push(&w->part, (symbol){(uint32_t)id, bytes, at - 1, -1});
}

/* The characters of a word that no token stands for, until it is known how they are told. */
typedef struct unknown {
    bool any;
    size_t bytes;
} unknown;

static lm_status flush(word *w, unknown *u)
{
    lm_status status = u->any ? add(w, w->m->unknown, u->bytes) : LM_OK;
    *u = (unknown){false, 0};
    return status;
}

/* *done: all bytes of it have tokens. */
static lm_status add_bytes(word *w, const lm_str *piece, bool *done)
{
    *done = w->m->bytes;
    for (size_t i = 0; i < piece->count && *done; i++)
        *done = w->m->byte[(unsigned char)piece->text[i]] >= 0;
    for (size_t i = 0; i < piece->count && *done; i++)
        LM_TRY(add(w, w->m->byte[(unsigned char)piece->text[i]], 1));
    return LM_OK;
}

static lm_status take_apart(word *w, const char *text, size_t count, lm_str *piece)
{
    const lm_word_model *m = w->m;
    unknown u = {false, 0};
    for (size_t i = 0, n; i < count; i += n) {
        lm_utf8_read(text + i, &n);
        lm_str_clear(piece);
        lm_str_add(piece, i ? m->prefix : "");
        lm_str_add_bytes(piece, text + i, n);
        LM_TRY(lm_str_add(piece, i + n == count ? m->suffix : ""));
        const lm_cell *id = lm_map_get(&m->id, piece->text, piece->count);
        if (id) {
            LM_TRY(flush(w, &u));
            LM_TRY(add(w, id->num, n));
            continue;
        }
        bool done;
        LM_TRY(add_bytes(w, piece, &done));
        if (done || m->unknown < 0)
            continue;
        if (!m->fuse)
            LM_TRY(flush(w, &u));
        u = (unknown){true, u.bytes + n};
    }
    return flush(w, &u);
}

static lm_status give(const word *w, lm_pieces *out)
{
    size_t at = 0;
    for (size_t i = 0; i < w->part.count; i++) {
        const symbol *s = &w->part.at[i];
        if (s->bytes)
            LM_TRY(lm_vec_push(out, (lm_piece){s->id, at, at + s->bytes}));
        at += s->bytes;
    }
    return LM_OK;
}

static lm_status encode(const lm_tokenizer *t, const char *text, size_t count, lm_pieces *out)
{
    const lm_word_model *m = &t->model;
    const lm_cell *whole = m->whole ? lm_map_get(&m->id, text, count) : NULL;
    if (whole)
        return lm_vec_push(out, (lm_piece){whole->num, 0, count});
    word w = {.m = m};
    lm_str piece = {0};
    lm_status status = take_apart(&w, text, count, &piece);
    if (status == LM_OK)
        status = melt(&w);
    if (status == LM_OK)
        status = give(&w, out);
    lm_str_free(&piece);
    lm_vec_free(&w.part);
    lm_vec_free(&w.heap);
    return status;
}

/* "ab cd", or ["ab", "cd"]. */
static bool halves(const cJSON *merge, const char **left, size_t *left_bytes, const char **right)
{
    const cJSON *a = cJSON_GetArrayItem(merge, 0), *b = cJSON_GetArrayItem(merge, 1);
    if (cJSON_IsString(a) && cJSON_IsString(b)) {
        *left = a->valuestring;
        *left_bytes = strlen(*left);
        *right = b->valuestring;
        return true;
    }
    const char *blank = cJSON_IsString(merge) ? strchr(merge->valuestring, ' ') : NULL;
    if (!blank)
        return false;
    *left = merge->valuestring;
    *left_bytes = (size_t)(blank - *left);
    *right = blank + 1;
    return true;
}

static lm_status read_merge(const cJSON *merge, uint32_t rank, lm_word_model *m, lm_str *both)
{
    const char *left, *right;
    size_t bytes;
    LM_REQUIRE(halves(merge, &left, &bytes, &right), LM_INPUT, "merge %u is no pair of tokens", rank);
    const size_t prefix = strlen(m->prefix);
    lm_str_clear(both);
    lm_str_add_bytes(both, left, bytes);
    LM_TRY(lm_str_add(both, strlen(right) >= prefix ? right + prefix : right));
    const lm_cell *a = lm_map_get(&m->id, left, bytes), *b = lm_map_gets(&m->id, right),
                  *c = lm_map_get(&m->id, both->text, both->count);
    LM_REQUIRE(a && b && c, LM_INPUT, "merge %u, '%.40s' and '%.40s', is about tokens that are not in the vocab", rank,
               left, right);
    const uint64_t pair = pair_of((uint32_t)a->num, (uint32_t)b->num);
    m->merge[slot_of(m->merge, m->merges, pair)] = (lm_merge){pair, rank, (uint32_t)c->num};
    return LM_OK;
}

lm_status lm_bpe_read(const cJSON *part, lm_tokenizer *t)
{
    lm_word_model *m = &t->model;
    const cJSON *merges = cJSON_GetObjectItemCaseSensitive(part, "merges"), *one;
    double dropout = 0;
    uint32_t rank = 0;
    LM_REQUIRE(cJSON_IsArray(merges), LM_INPUT, "its merges are no list");
    LM_REQUIRE(!lm_member_number(part, "dropout", &dropout) || dropout == 0, LM_UNSUPPORTED,
               "dropout makes tokens by chance and is not supported; set it to null");
    LM_TRY(lm_member_copy(part, "continuing_subword_prefix", "", &m->prefix));
    LM_TRY(lm_member_copy(part, "end_of_word_suffix", "", &m->suffix));
    m->bytes = lm_member_flag(part, "byte_fallback", false);
    m->fuse = lm_member_flag(part, "fuse_unk", false);
    m->whole = lm_member_flag(part, "ignore_merges", false);
    m->encode = encode;
    const size_t n = (size_t)cJSON_GetArraySize(merges);
    for (m->merges = 16; m->merges < 2 * n;)
        m->merges *= 2;
    m->merge = lm_calloc(m->merges, sizeof *m->merge);
    if (!m->merge)
        return LM_MEMORY;
    lm_str both = {0};
    lm_status status = LM_OK;
    cJSON_ArrayForEach (one, merges) {
        if (status == LM_OK)
            status = read_merge(one, rank++, m, &both);
    }
    lm_str_free(&both);
    return status;
}
