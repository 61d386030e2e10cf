/* lex_sim: run seeds, or show one, or prove that planted bugs are caught. See --help. */
#include <stdio.h>
#include <stdlib.h>

#include "core/worker/plants.h"
#include "tests/sim/sim.h"

enum lex_plant lex_planted = LEX_PLANT_NONE;

static const struct {
    const char *name, *text;
} PLANTS[] = {
    {"NONE", ""},
#define LEX_PLANT(name, text) {#name, text},
#include "core/worker/plants.def"
#undef LEX_PLANT
};

enum {
    STORM_STEPS = 600,
    CALM_STEPS = 60000,
    SESSION_US = 300000,
    TRANSACTION_US = 900000,
    PLANT_SEEDS = 3000, /* within which a planted bug must be caught */
};

struct run {
    struct sim_model model;
    struct sim_node nodes[SIM_NODES_MAX];
    struct sim_checker checker;
    struct { /* an older offset and head of each partition, for the operator's slip */
        bool set;
        int64_t offset;
        char metadata[SIM_METADATA_MAX];
        size_t metadata_len;
    } saved[SIM_PARTITIONS_MAX];
};

/* ---- faults ---- */

static void save_offset(struct run *run, int p)
{
    const struct sim_partition *partition = &run->model.partitions[p];
    if (!partition->committed || partition->metadata_len == 0 || partition->doubtful)
        return;
    run->saved[p].set = true;
    run->saved[p].offset = partition->offset;
    run->saved[p].metadata_len = partition->metadata_len;
    memcpy(run->saved[p].metadata, partition->metadata, partition->metadata_len);
}

static void kill_all(struct run *run)
{
    for (int n = 0; n < run->model.nodes_count; n++)
        if (run->nodes[n].alive)
            sim_node_kill(&run->nodes[n]);
}

/* With every node down, somebody sets a partition's offset back to what it once was. */
static void rewind_offset(struct run *run, int p)
{
    struct sim_partition *partition = &run->model.partitions[p];
    kill_all(run);
    sim_expire_transactions(&run->model, 0);
    if (!run->saved[p].set || run->saved[p].offset == partition->offset || !partition->committed)
        return;
    sim_note(&run->model, "partition %d is set back to %lld", p, (long long)run->saved[p].offset);
    (void)sim_check(&run->checker, &run->model, run->nodes); /* what became visible just now */
    partition->offset = run->saved[p].offset;
    partition->metadata_len = run->saved[p].metadata_len;
    memcpy(partition->metadata, run->saved[p].metadata, partition->metadata_len);
    partition->doubtful = true;
}

/* With every node down, the group's offset expires, or loses its metadata. */
static void lose_offset(struct run *run, int p)
{
    struct sim_partition *partition = &run->model.partitions[p];
    kill_all(run);
    sim_expire_transactions(&run->model, 0);
    sim_note(&run->model, "partition %d loses its head", p);
    partition->metadata_len = 0;
    partition->tampered = true;
    partition->committed = partition->committed && sim_chance(&run->model.random, 50);
    partition->doubtful = false;
}

static void delete_requests(struct run *run, int p)
{
    struct sim_log *log = &run->model.partitions[p].requests;
    size_t left = log->count - log->low;
    if (left != 0)
        log->low += 1 + (size_t)sim_below(&run->model.random, left);
    sim_note(&run->model, "partition %d: requests begin at %zu", p, log->low);
}

static void storm(struct run *run)
{
    struct sim_random *random = &run->model.random;
    int p = (int)sim_below(random, (uint64_t)run->model.partitions_count);
    struct sim_node *node = &run->nodes[sim_below(random, (uint64_t)run->model.nodes_count)];
    switch (sim_below(random, 220)) {
    case 0:
    case 1:
        if (node->alive) {
            sim_note(&run->model, "node %d is killed", node->id);
            sim_node_kill(node);
        }
        break;
    case 2:
    case 3:
        node->paused_until_us = run->model.now_us + (int64_t)sim_below(random, 1500000);
        sim_note(&run->model, "node %d stands still", node->id);
        break;
    case 4: node->stopping = true; break;
    case 5:
    case 6: node->policy_wanted = (int)sim_below(random, SIM_POLICIES); break;
    case 7:
        if (sim_chance(random, 20))
            delete_requests(run, p);
        break;
    case 8:
        if (sim_chance(random, 20))
            lose_offset(run, p);
        break;
    case 9:
        if (sim_chance(random, 30))
            rewind_offset(run, p);
        break;
    case 10: save_offset(run, p); break;
    default: break;
    }
}

static void heal(struct run *run)
{
    run->model.calm = true;
    for (int n = 0; n < run->model.nodes_count; n++) {
        run->nodes[n].paused_until_us = 0;
        run->nodes[n].policy_wanted = SIM_POLICIES - 1;
    }
    for (int p = 0; p < run->model.partitions_count; p++) {
        struct sim_partition *partition = &run->model.partitions[p];
        if (!partition->doubtful)
            continue;
        partition->metadata_len = 0; /* the operator takes the ledger's word */
        partition->tampered = true;
        partition->doubtful = false;
        partition->healed_us = run->model.now_us;
    }
}

/* ---- a run ---- */

static void run_nodes(struct run *run)
{
    bool moved = false;
    int first = (int)sim_below(&run->model.random, (uint64_t)run->model.nodes_count);
    for (int i = 0; i < run->model.nodes_count && !moved; i++) {
        struct sim_node *node = &run->nodes[(first + i) % run->model.nodes_count];
        if (!node->alive && (run->model.calm || sim_chance(&run->model.random, 5)) &&
            run->model.members_count < SIM_MEMBERS_MAX - 8)
            sim_node_start(node);
        if (node->alive && node->paused_until_us <= run->model.now_us)
            moved = sim_node_run(node);
    }
    run->model.now_us += moved ? 50 + (int64_t)sim_below(&run->model.random, 1000) : 20000;
}

static bool drained(const struct run *run)
{
    for (int p = 0; p < run->model.partitions_count; p++)
        if (run->checker.partitions[p].next_request !=
            (int64_t)run->model.partitions[p].requests.count)
            return false;
    for (int n = 0; n < run->model.nodes_count; n++)
        if (!run->nodes[n].alive || !run->nodes[n].ready)
            return false;
    return !run->model.rebalancing;
}

static bool step(struct run *run)
{
    run_nodes(run);
    sim_expire_members(&run->model, SESSION_US);
    sim_expire_transactions(&run->model, TRANSACTION_US);
    sim_complete_rebalance(&run->model);
    return sim_check(&run->checker, &run->model, run->nodes);
}

static bool play(struct run *run)
{
    for (int i = 0; i < STORM_STEPS; i++) {
        size_t requests = sim_chance(&run->model.random, 12) ? 1 : 0;
        if (sim_chance(&run->model.random, 1))
            requests += 20; /* more than one poll takes: a transaction stays open over polls */
        for (; requests > 0; requests--)
            sim_add_request(&run->model, run->checker.world);
        storm(run);
        if (!step(run))
            return false;
    }
    heal(run);
    for (int i = 0; i < CALM_STEPS && !drained(run); i++)
        if (!step(run))
            return false;
    return sim_check_drained(&run->checker, &run->model, run->nodes);
}

/* One seed; false, with the checker's words in `violation`, where an invariant broke. */
static bool run_seed(const struct sim_world *world, uint64_t seed, bool trace, uint64_t *ret_hash,
                     char violation[512])
{
    static struct run run;
    run = (struct run){0};
    sim_model_init(&run.model, seed);
    run.model.trace = trace;
    sim_checker_init(&run.checker, world, &run.model);
    for (int n = 0; n < run.model.nodes_count; n++)
        run.nodes[n] = (struct sim_node){.model = &run.model, .world = world, .id = n};
    bool held = play(&run);
    *ret_hash = run.model.hash;
    memcpy(violation, run.checker.violation, 512);
    kill_all(&run);
    sim_checker_fini(&run.checker);
    sim_model_fini(&run.model);
    return held;
}

static int run_seeds(const struct sim_world *world, uint64_t first, uint64_t count, bool trace)
{
    uint64_t hash, again, failed = 0;
    char violation[512];
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (!run_seed(world, seed, trace, &hash, violation)) {
            printf("seed %llu: %s\n", (unsigned long long)seed, violation);
            failed++;
        }
        if (seed == first || trace)
            printf("seed %llu: hash %016llx\n", (unsigned long long)seed, (unsigned long long)hash);
    }
    (void)run_seed(world, first, false, &again, violation);
    (void)run_seed(world, first, false, &hash, violation);
    bool same = hash == again;
    printf("%s - one seed gives one trace\n", same ? "ok" : "not ok");
    printf("%s - %llu seeds from %llu keep every invariant\n", failed == 0 ? "ok" : "not ok",
           (unsigned long long)count, (unsigned long long)first);
    return failed == 0 && same ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Every planted bug must be caught: a checker that catches nothing proves nothing. */
static int run_plants(const struct sim_world *world)
{
    int missed = 0;
    for (int plant = LEX_PLANT_NONE + 1; plant < LEX_PLANT_COUNT; plant++) {
        uint64_t hash, seed = 1;
        char violation[512] = "";
        lex_planted = (enum lex_plant)plant;
        while (seed <= PLANT_SEEDS && run_seed(world, seed, false, &hash, violation))
            seed++;
        bool caught = seed <= PLANT_SEEDS;
        missed += !caught;
        if (caught)
            printf("ok - %s: %s: caught by seed %llu: %s\n", PLANTS[plant].name, PLANTS[plant].text,
                   (unsigned long long)seed, violation);
        else
            printf("not ok - %s: %s: not caught in %d seeds\n", PLANTS[plant].name,
                   PLANTS[plant].text, PLANT_SEEDS);
        (void)fflush(stdout);
    }
    lex_planted = LEX_PLANT_NONE;
    return missed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int help(void)
{
    puts("lex_sim: the worker's state machine against a model of Kafka\n\n"
         "  --seeds N     run N seeds (default 100)\n"
         "  --seed S      begin with seed S (default 1)\n"
         "  --trace       print every event; with --seed S --seeds 1 to look at one run\n"
         "  --plant NAME  run with this bug planted\n"
         "  --plants      plant each bug in turn; each has to be caught\n\n"
         "Exit status 0: every invariant held (--plants: every bug was caught). Bugs:");
    for (int plant = LEX_PLANT_NONE + 1; plant < LEX_PLANT_COUNT; plant++)
        printf("  %-22s %s\n", PLANTS[plant].name, PLANTS[plant].text);
    return EXIT_SUCCESS;
}

static enum lex_plant plant_named(const char *name)
{
    for (int plant = 0; plant < LEX_PLANT_COUNT; plant++)
        if (strcmp(PLANTS[plant].name, name) == 0)
            return (enum lex_plant)plant;
    (void)fprintf(stderr, "lex_sim: no planted bug is called %s; see --help\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    uint64_t seeds = 100, seed = 1;
    bool trace = false, plants = false;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return help();
        if (strcmp(argv[i], "--trace") == 0)
            trace = true;
        else if (strcmp(argv[i], "--plants") == 0)
            plants = true;
        else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--plant") == 0 && i + 1 < argc)
            lex_planted = plant_named(argv[++i]);
        else {
            (void)fprintf(stderr, "lex_sim: what is %s? See --help\n", argv[i]);
            return 2;
        }
    }
    struct sim_world world = {0};
    sim_world_init(&world);
    int status = plants ? run_plants(&world) : run_seeds(&world, seed, seeds, trace);
    sim_world_fini(&world);
    return status;
}
