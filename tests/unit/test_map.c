/* Hash maps and hashes. */
#include "tests/unit/test.h"

#include "core/base/hash.h"
#include "core/base/map.h"

static void put_get_replace(void)
{
    lm_map map = {0};
    int x, y;
    CHECK(lm_map_gets(&map, "absent") == NULL);
    CHECK(!lm_map_remove(&map, "absent", 6));
    CHECK_OK(lm_map_put_ptr(&map, "x", &x));
    CHECK_OK(lm_map_put_num(&map, "", -5));
    CHECK(lm_map_gets(&map, "x")->ptr == &x);
    CHECK_INT(lm_map_gets(&map, "")->num, -5);
    CHECK_OK(lm_map_put_ptr(&map, "x", &y));
    CHECK(lm_map_gets(&map, "x")->ptr == &y);
    CHECK_INT(map.count, 2);
    /* keys are bytes: a zero inside counts, and a prefix is another key */
    CHECK_OK(lm_map_put(&map, "a\0b", 3, (lm_cell){.num = 1}));
    CHECK_OK(lm_map_put(&map, "a\0c", 3, (lm_cell){.num = 2}));
    CHECK(lm_map_gets(&map, "a") == NULL);
    CHECK_INT(lm_map_get(&map, "a\0b", 3)->num, 1);
    CHECK_INT(lm_map_get(&map, "a\0c", 3)->num, 2);
    lm_map_free(&map);
    CHECK_INT(map.count, 0);
}

/* Against a plain array as the model: put, replace and remove in a fixed but jumbled order. */
static void many_keys(void)
{
    enum { KEYS = 3000, STEPS = 40000 };
    static int64_t model[KEYS]; /* 0: absent */
    lm_map map = {0};
    uint64_t jumble = 1;
    for (int step = 1; step <= STEPS; step++) {
        jumble = jumble * 6364136223846793005u + 1442695040888963407u;
        uint32_t key = (uint32_t)(jumble >> 33) % KEYS;
        if (jumble >> 62 == 0) {
            CHECK(lm_map_remove(&map, &key, sizeof key) == (model[key] != 0));
            model[key] = 0;
        } else {
            CHECK_OK(lm_map_put(&map, &key, sizeof key, (lm_cell){.num = step}));
            model[key] = step;
        }
    }
    size_t live = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        const lm_cell *cell = lm_map_get(&map, &key, sizeof key);
        CHECK_INT(cell ? cell->num : 0, model[key]);
        live += model[key] != 0;
    }
    CHECK_INT(map.count, live);
    size_t at = 0, seen = 0;
    for (lm_map_entry *e; (e = lm_map_next(&map, &at)); seen++) {
        uint32_t key;
        memcpy(&key, e->key, sizeof key);
        CHECK(e->bytes == sizeof key && model[key] == e->value.num);
    }
    CHECK_INT(seen, live);
    CHECK(map.room < 8 * KEYS); /* removed entries do not pile up */
    lm_map_free(&map);
}

static void order_is_that_of_insertion(void)
{
    lm_map map = {0};
    char key[16];
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "key %d", i * 7919 % 500);
        CHECK_OK(lm_map_put_num(&map, key, i));
    }
    size_t at = 0;
    int64_t last = -1;
    for (lm_map_entry *e; (e = lm_map_next(&map, &at)); last = e->value.num)
        CHECK_INT(e->value.num, last + 1);
    CHECK_INT(last, 499);
    lm_map_free(&map);
}

static lm_status fill(void)
{
    lm_map map = {0};
    char key[16];
    lm_status status = LM_OK;
    for (int i = 0; i < 40 && status == LM_OK; i++) {
        snprintf(key, sizeof key, "%d", i);
        status = lm_map_put_num(&map, key, i);
        size_t count = (size_t)i + (status == LM_OK);
        for (int k = 0; k < 40; k++) {
            snprintf(key, sizeof key, "%d", k);
            CHECK((lm_map_gets(&map, key) != NULL) == ((size_t)k < count));
        }
        CHECK_INT(map.count, count);
    }
    lm_map_free(&map);
    return status;
}

static void every_allocation_may_fail(void)
{
    CHECK(test_every_allocation(fill) > 40);
}

/* Flipping any bit of the input flips about half of the output, and nearby keys do not collide. */
static void hashes_spread(void)
{
    unsigned char key[24] = "a key of some length....";
    uint64_t base = lm_hash(key, sizeof key, 0);
    for (size_t bit = 0; bit < 8 * sizeof key; bit++) {
        key[bit / 8] ^= (unsigned char)(1u << bit % 8);
        int flipped = __builtin_popcountll(base ^ lm_hash(key, sizeof key, 0));
        CHECK(flipped > 12 && flipped < 52);
        key[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    CHECK(lm_hash(key, sizeof key, 0) == base);
    CHECK(lm_hash(key, sizeof key, 1) != base);
    CHECK(lm_hash("", 0, 0) != lm_hash("\0", 1, 0) && lm_hash("\0", 1, 0) != lm_hash("\0\0", 2, 0));
    int low[64] = {0};
    for (uint64_t i = 0; i < 64000; i++)
        low[lm_hash(&i, sizeof i, 0) & 63]++;
    for (int i = 0; i < 64; i++)
        CHECK(low[i] > 850 && low[i] < 1150);
}

static void sha256_known_answers(void)
{
    static const struct {
        const char *text, *digest;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[65];
    for (size_t i = 0; i < LM_COUNT(known); i++) {
        lm_sha256_hex(known[i].text, strlen(known[i].text), hex);
        CHECK_STR(hex, known[i].digest);
    }
    /* a million times "a", in pieces of every length up to 200 */
    lm_sha256 sha;
    uint8_t digest[32];
    char piece[200];
    memset(piece, 'a', sizeof piece);
    lm_sha256_start(&sha);
    size_t left = 1000000;
    for (size_t length = 0; left > 0; length = (length + 1) % sizeof piece) {
        size_t part = length < left ? length : left;
        lm_sha256_add(&sha, piece, part);
        left -= part;
    }
    lm_sha256_end(&sha, digest);
    static const uint8_t wanted[] = {0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92};
    CHECK(memcmp(digest, wanted, sizeof wanted) == 0);
}

int main(void)
{
    CASE(put_get_replace);
    CASE(many_keys);
    CASE(order_is_that_of_insertion);
    CASE(every_allocation_may_fail);
    CASE(hashes_spread);
    CASE(sha256_known_answers);
    return test_end();
}
