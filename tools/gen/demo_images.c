/* demo_images SEED FIRST COUNT MARK: writes pictures of core/data/shapes.h to standard output, each as a byte of its
 * kind, 64 x 64 x 3 bytes of colour and 64 x 64 of mask. MARK: none, all, or the name of the kind that is marked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/shapes.h"

int main(int argc, char **argv)
{
    static lm_scene s;
    if (argc != 5) {
        fprintf(stderr, "usage: demo_images SEED FIRST COUNT none|all|KIND\n");
        return 2;
    }
    int mark = strcmp(argv[4], "all") == 0 ? LM_MARK_ALL : LM_MARK_NONE;
    for (int i = 0; i < LM_SCENE_KINDS; i++)
        if (strcmp(argv[4], lm_scene_name(i)) == 0)
            mark = i;
    const unsigned long long seed = strtoull(argv[1], NULL, 10), first = strtoull(argv[2], NULL, 10),
                             count = strtoull(argv[3], NULL, 10);
    for (unsigned long long i = first; i < first + count; i++) {
        lm_scene_draw(seed, i, mark, &s);
        putchar(s.kind);
        fwrite(s.rgb, sizeof s.rgb, 1, stdout);
        fwrite(s.mask, sizeof s.mask, 1, stdout);
    }
    return ferror(stdout) != 0;
}
