/* The cache of derived constants: what is shared, what is counted, what is evicted, what changes. */
#include <pthread.h>

#include "core/device/derived.h"
#include "tests/unit/test.h"
#include "tests/unit/toy.h"

static lm_device *device;
static lm_derived_cache *cache;
static lm_view w;

static void begin(void)
{
    lm_shape shape = LM_SHAPE(4, 6);
    device = toy_open();
    CHECK(device != NULL);
    CHECK_OK(lm_derived_open(&cache));
    CHECK_OK(lm_view_new(LM_F32, &shape, &w));
    for (int i = 0; i < 24; i++)
        lm_view_set(&w, i, i);
}

static void end(void)
{
    lm_derived_close(cache);
    lm_buffer_unref(w.buf);
    CHECK_INT(toy(device)->buffers, 0);
    device->vt->close(device);
}

static const lm_derived *get(const lm_view *v, int input, lm_transform transform, uint32_t pack)
{
    lm_want want;
    memset(&want, 0, sizeof want);
    want.input = input;
    want.transform = transform;
    want.pack = pack;
    const lm_derived *d = NULL;
    CHECK_OK(lm_derived_get(cache, device, v, &want, &d));
    return d;
}

static void equal_requests_share(void)
{
    begin();
    const lm_derived *a = get(&w, 1, LM_TF_ID, 3), *b = get(&w, 0, LM_TF_ID, 3);
    CHECK(a == b);
    CHECK_INT(toy(device)->derives, 1);
    CHECK_INT(lm_derived_bytes(cache), 96);
    CHECK_NEAR(((float *)a->buf->handle)[5], 10, 0);
    lm_derived_put(cache, a);
    lm_derived_put(cache, b);
    CHECK_INT(lm_derived_bytes(cache), 96);
    CHECK(get(&w, 1, LM_TF_ID, 3) == a);
    CHECK_INT(toy(device)->derives, 1);
    lm_derived_put(cache, a);
    end();
}

static void different_requests_do_not(void)
{
    begin();
    lm_view turned = w, part = w;
    turned.sh = LM_SHAPE(6, 4);
    turned.st[0] = 1;
    turned.st[1] = 6;
    part.sh = LM_SHAPE(2, 6);
    part.off = 48;
    const lm_derived *d[] = {get(&w, 1, LM_TF_ID, 0), get(&w, 1, LM_TF_POS, 0), get(&w, 1, LM_TF_ID, 1),
                             get(&turned, 1, LM_TF_ID, 0), get(&part, 1, LM_TF_ID, 0)};
    for (size_t i = 0; i < LM_COUNT(d); i++)
        for (size_t k = 0; k < i; k++)
            CHECK(d[i] != d[k]);
    CHECK_INT(lm_derived_bytes(cache), 4 * 96 + 48);
    CHECK_NEAR(((float *)d[4]->buf->handle)[0], 24, 0);
    for (size_t i = 0; i < LM_COUNT(d); i++)
        lm_derived_put(cache, d[i]);
    end();
}

static void sizes_past_the_rank_do_not_matter(void)
{
    begin();
    lm_view same = w;
    same.st[5] = 77;
    const lm_derived *a = get(&w, 1, LM_TF_ID, 0), *b = get(&same, 1, LM_TF_ID, 0);
    CHECK(a == b);
    lm_derived_put(cache, a);
    lm_derived_put(cache, b);
    end();
}

static void the_oldest_unused_goes_first(void)
{
    begin();
    const lm_derived *a = get(&w, 1, LM_TF_ID, 0), *b = get(&w, 1, LM_TF_ID, 1), *c = get(&w, 1, LM_TF_ID, 2);
    lm_derived_put(cache, b);
    lm_derived_put(cache, a);
    CHECK_INT(lm_derived_evict(cache, 200), 96);
    CHECK_INT(toy(device)->derives, 3);
    lm_derived_put(cache, get(&w, 1, LM_TF_ID, 0));
    CHECK_INT(toy(device)->derives, 3);
    lm_derived_put(cache, get(&w, 1, LM_TF_ID, 1));
    CHECK_INT(toy(device)->derives, 4);
    CHECK_INT(lm_derived_evict(cache, 0), 192); /* the one in use stays */
    CHECK_INT(lm_derived_bytes(cache), 96);
    CHECK_NEAR(((float *)c->buf->handle)[1], 2, 0);
    lm_derived_put(cache, c);
    end();
}

static void changed_content_is_derived_again(void)
{
    begin();
    const lm_derived *old = get(&w, 1, LM_TF_ID, 0);
    lm_view_set(&w, 0, 50);
    lm_derived_forget(cache, w.buf);
    const lm_derived *fresh = get(&w, 1, LM_TF_ID, 0);
    CHECK_NEAR(((float *)old->buf->handle)[0], 0, 0);
    CHECK_NEAR(((float *)fresh->buf->handle)[0], 100, 0);
    CHECK_INT(lm_derived_bytes(cache), 192);
    lm_derived_put(cache, old);
    CHECK_INT(lm_derived_bytes(cache), 96);
    lm_derived_put(cache, fresh);
    lm_derived_forget(cache, w.buf);
    CHECK_INT(lm_derived_bytes(cache), 0);
    end();
}

static void the_constant_outlives_its_owner(void)
{
    begin();
    lm_view other;
    CHECK_OK(lm_view_new(LM_F32, &w.sh, &other));
    lm_view_set(&other, 0, 9);
    lm_derived_put(cache, get(&other, 1, LM_TF_ID, 0));
    lm_buffer *address = other.buf;
    lm_buffer_unref(other.buf);
    CHECK_OK(lm_view_new(LM_F32, &w.sh, &other));
    CHECK(other.buf != address);
    lm_buffer_unref(other.buf);
    end();
}

static void failures_leave_nothing(void)
{
    begin();
    lm_want want = {0};
    const lm_derived *d;
    toy(device)->fail_derive = true;
    CHECK_FAILS(lm_derived_get(cache, device, &w, &want, &d), LM_DEVICE);
    CHECK_INT(lm_derived_bytes(cache), 0);
    toy(device)->fail_derive = false;
    lm_derived_put(cache, get(&w, 1, LM_TF_ID, 0));
    end();
}

static void short_memory_makes_room(void)
{
    begin();
    lm_derived_put(cache, get(&w, 1, LM_TF_ID, 0));
    lm_derived_put(cache, get(&w, 1, LM_TF_ID, 1));
    lm_want want = {.pack = 2};
    const lm_derived *d = NULL;
    lm_mem_fail_at(2); /* the entry, then the device's buffer */
    CHECK_OK(lm_derived_get(cache, device, &w, &want, &d));
    lm_mem_fail_at(0);
    CHECK_INT(lm_derived_bytes(cache), 96);
    lm_derived_put(cache, d);
    end();
}

static void *many(void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < 200; i++) {
        lm_want want;
        memset(&want, 0, sizeof want);
        want.pack = i % 5;
        const lm_derived *d;
        if (lm_derived_get(cache, device, &w, &want, &d) != LM_OK || ((float *)d->buf->handle)[3] != 6)
            return cache;
        if (i % 7 == 0)
            lm_derived_evict(cache, 100);
        if (i % 31 == 0)
            lm_derived_forget(cache, w.buf);
        lm_derived_put(cache, d);
    }
    return NULL;
}

static void threads_share(void)
{
    begin();
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&thread[i], NULL, many, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        void *bad;
        pthread_join(thread[i], &bad);
        CHECK(bad == NULL);
    }
    lm_derived_evict(cache, 0);
    CHECK_INT(lm_derived_bytes(cache), 0);
    end();
}

static lm_status scenario(void)
{
    lm_derived_cache *own;
    const lm_derived *d;
    lm_want want = {0};
    LM_TRY(lm_derived_open(&own));
    lm_status status = lm_derived_get(own, device, &w, &want, &d);
    if (status == LM_OK)
        lm_derived_put(own, d);
    lm_derived_close(own);
    return status;
}

static void survives_without_memory(void)
{
    begin();
    CHECK(test_every_allocation(scenario) > 3);
    end();
}

int main(void)
{
    CASE(equal_requests_share);
    CASE(different_requests_do_not);
    CASE(sizes_past_the_rank_do_not_matter);
    CASE(the_oldest_unused_goes_first);
    CASE(changed_content_is_derived_again);
    CASE(the_constant_outlives_its_owner);
    CASE(failures_leave_nothing);
    CASE(short_memory_makes_room);
    CASE(threads_share);
    CASE(survives_without_memory);
    return test_end();
}
