-- The populations and signatures under which nothing is counted. `except` reads the rollups once, in any order.
select array(select id from population except select population from rollup_script where runs <> 0) as "populations!",
    array(select id from signature except select signature from rollup_signature where runs <> 0) as "signatures!"
