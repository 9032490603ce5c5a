"""Two policies of the Open Bandit Dataset, each valued from the other's log.

    python examples/open_bandit.py

Reads ../shared/data/obd_all_random.parquet and obd_all_bts.parquet beside the project: 10,000 impressions each of
a shop's recommendations, by a random policy and by Bernoulli Thompson sampling (Saito et al. 2020).
"""

from pathlib import Path

import duckdb

import abkit as ab

DATA = Path(__file__).parents[2] / "shared" / "data"
COLUMNS = {"arm": "item_id", "reward": "click", "propensity": "propensity_score"}


def log(policy: str) -> duckdb.DuckDBPyRelation:
    """One row an impression; the file's times are text."""
    return duckdb.sql(f"select *, timestamp::timestamp as time from '{DATA / f'obd_all_{policy}.parquet'}'")


def thompson() -> duckdb.DuckDBPyRelation:
    """What Thompson sampling does at each position, from its own log: shares, each item with one impression more."""
    return duckdb.sql(
        f"""
        with cells as (select distinct position from '{DATA / "obd_all_bts.parquet"}'),
        items as (select range as item_id from range(80)),
        counts as (select position, item_id, count(*) as n from '{DATA / "obd_all_bts.parquet"}' group by all)
        select position, item_id,
            (coalesce(n, 0) + 1) / sum(coalesce(n, 0) + 1) over (partition by position) as probability
        from cells cross join items left join counts using (position, item_id)
        """
    )


def main() -> None:
    print("The random policy, from the log of Thompson sampling (its own log: 0.0038)")
    for method in ("ips", "snips", "dr"):
        print(ab.bandits.evaluate(log("bts"), "uniform", method, order="time", **COLUMNS), end="\n\n")
    print("Thompson sampling, from the log of the random policy (its own log: 0.0042)")
    for method in ("ips", "snips", "dr"):
        print(
            ab.bandits.evaluate(log("random"), thompson(), method, by="position", order="time", **COLUMNS), end="\n\n"
        )
    print("The random policy at any time, from the log of Thompson sampling")
    print(ab.bandits.value_sequence(log("bts"), "uniform", order="time", looks=[5_000, 10_000], **COLUMNS))


if __name__ == "__main__":
    main()
