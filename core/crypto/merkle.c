/* Merkle trees over batches (RFC 6962 section 2.1).
 *
 * The RFC splits n leaves at the largest power of two below n. Pairing neighbours level by level
 * and carrying an odd last node up unchanged builds the same tree from below, hashes every inner
 * node once, and leaves each path's hashes lying in the level it passes through. */
#include "core/crypto/crypto.h"

enum { LEVELS_MAX = 13 }; /* of LEX_BATCH_MAX = 2^12 leaves */

struct tree {
    const struct lex_hash *level[LEVELS_MAX];
    size_t width[LEVELS_MAX];
    size_t levels;
};

static void hash_level(const struct lex_hash *below, size_t count, struct lex_hash *ret)
{
    for (size_t i = 0; i + 1 < count; i += 2)
        lex_node_hash(&below[i], &below[i + 1], &ret[i / 2]);
    if (count % 2 == 1)
        ret[count / 2] = below[count - 1];
}

static enum lex_status build(struct tree *tree, const struct lex_hash *leaves, size_t count,
                             struct lex_arena *arena)
{
    *tree = (struct tree){.level = {leaves}, .width = {count}, .levels = 1};
    while (count > 1) {
        size_t above = (count + 1) / 2;
        struct lex_hash *level = lex_arena_calloc(arena, above, sizeof *level);
        if (level == NULL)
            return LEX_LIMIT;
        hash_level(tree->level[tree->levels - 1], count, level);
        tree->level[tree->levels] = level;
        tree->width[tree->levels++] = count = above;
    }
    return LEX_OK;
}

/* Siblings from the leaf upwards; a node that was carried up has none on that level. */
static size_t path_of(const struct tree *tree, size_t index, struct lex_span *ret)
{
    size_t count = 0;
    for (size_t level = 0; level + 1 < tree->levels; level++, index /= 2) {
        size_t sibling = index ^ 1;
        if (sibling < tree->width[level])
            ret[count++] = lex_span_of(tree->level[level][sibling].bytes, LEX_HASH_BYTES);
    }
    return count;
}

LEX_STATUS lex_merkle_batch(const struct lex_hash *leaves, size_t count, struct lex_arena *arena,
                            struct lex_hash *ret_root, struct lex_span_list *ret_paths)
{
    LEX_ASSERT(count >= 1 && count <= LEX_BATCH_MAX);
    struct tree tree;
    /* the leaves are copied: the paths outlive the caller's array */
    struct lex_hash *own = lex_arena_calloc(arena, count, sizeof *own);
    if (own == NULL)
        return LEX_LIMIT;
    memcpy(own, leaves, count * sizeof *own);
    LEX_TRY(build(&tree, own, count, arena));
    struct lex_span *spans = lex_arena_calloc(arena, count * tree.levels, sizeof *spans);
    if (spans == NULL)
        return LEX_LIMIT;
    for (size_t i = 0; i < count; i++) {
        ret_paths[i] = (struct lex_span_list){spans, path_of(&tree, i, spans)};
        spans += ret_paths[i].count;
    }
    *ret_root = tree.level[tree.levels - 1][0];
    return LEX_OK;
}

LEX_STATUS lex_merkle_root_of(const struct lex_hash *leaf, int64_t index, int64_t size,
                              struct lex_span_list path, struct lex_hash *ret_root)
{
    if (size < 1 || index < 0 || index >= size)
        return LEX_REJECT;
    struct lex_hash root = *leaf;
    int64_t node = index, last = size - 1;
    size_t used = 0;
    for (; last > 0; node /= 2, last /= 2) {
        if (node % 2 == 0 && node == last)
            continue; /* carried up: no sibling here */
        if (used == path.count || path.items[used].len != LEX_HASH_BYTES)
            return LEX_REJECT;
        struct lex_hash sibling;
        memcpy(sibling.bytes, path.items[used++].data, LEX_HASH_BYTES);
        if (node % 2 == 1)
            lex_node_hash(&sibling, &root, &root);
        else
            lex_node_hash(&root, &sibling, &root);
    }
    if (used != path.count)
        return LEX_REJECT;
    *ret_root = root;
    return LEX_OK;
}
