-- The five applications with the most bad ends of each category. $1 selection.
select category as "category!", app as "app!"
from (
    select category, app, sum(runs) as runs,
        row_number() over (partition by category order by sum(runs) desc, app) as rank
    from shown_exit_code($1)
    group by category, app
) as hit
where rank <= 5
order by runs desc, category, app
