"""Names for containers that were given none: an adjective and a person who made the field what it is."""

from __future__ import annotations

import os

ADJECTIVES = (
    "able agile alert amber ample apt avid bold brave brief bright brisk calm candid careful cheerful clear clever cool cosy "
    "crisp curious daring deft eager early earnest easy even exact fair fast fine firm fond frank free fresh gentle glad good "
    "grand handy happy hardy honest jolly keen kind lively loyal lucid lucky merry mild modest neat nimble noble open patient "
    "plain polite prompt proper proud pure quick quiet ready rested robust serene sharp sincere smart snug sober solid steady "
    "subtle sunny sure swift tidy tireless tranquil trusty upbeat valiant vivid warm wise witty worthy zealous"
)
PEOPLE = (
    "abel aho allen babbage backus bartik bernerslee boole borg brooks cauchy cerf cerny church codd conway cook curie dahl "
    "dantzig diffie dijkstra eckert engelbart erdos erlang euclid euler fano faggin floyd fourier galois gauss godel goldberg "
    "granville gray haken hamming hellman hilbert hoare holberton hopcroft hopper huffman iverson kahan kahn karp kay "
    "kernighan kilby kleene knuth kolmogorov lamarr lamport lampson leibniz liskov lovelace markov mauchly mccarthy mcilroy "
    "milner minsky moore naur neumann newell noether noyce nygaard nyquist ousterhout pascal perlis perlman polya postel "
    "rabin ramanujan reynolds riemann ritchie rivest sammet scott shamir shannon simon spence stallman strachey stroustrup "
    "sutherland tarjan tarski thompson torvalds turing ulam valiant wiener wilkes wirth wozniak yao zuse"
)


def generated_name() -> str:
    """Return a name such as "calm_hopper", chosen at random; it may be in use."""
    adjectives, people = ADJECTIVES.split(), PEOPLE.split()
    first, second = int.from_bytes(os.urandom(2), "big"), int.from_bytes(os.urandom(2), "big")
    return f"{adjectives[first % len(adjectives)]}_{people[second % len(people)]}"
