/* Plants: bugs that the simulator plants on purpose, to prove that its checkers catch them.
 *
 * Only the simulator's build (LEX_PLANTS) knows them; in every other build LEX_PLANTED() is the
 * constant false and the compiler drops the branch. One table, so that the simulator's list of bugs
 * that it must catch and the places where they are planted cannot differ. */
#ifndef LEX_WORKER_PLANTS_H
#define LEX_WORKER_PLANTS_H

enum lex_plant {
    LEX_PLANT_NONE,
#define LEX_PLANT(name, text) LEX_PLANT_##name,
#include "core/worker/plants.def"
#undef LEX_PLANT
    LEX_PLANT_COUNT
};

#ifdef LEX_PLANTS
extern enum lex_plant lex_planted; /* set by the simulator before a run */
#define LEX_PLANTED(name) (lex_planted == LEX_PLANT_##name)
#else
#define LEX_PLANTED(name) 0
#endif

#endif
