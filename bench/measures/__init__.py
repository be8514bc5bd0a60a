"""
measures: what bench/run can measure, a module each. run(world, options) starts the proxies it wants, measures, and gives the
text of its section of bench/results.md; HEADING is the section's; PART_OF_DEFAULT says whether a run without --only has it.
"""
