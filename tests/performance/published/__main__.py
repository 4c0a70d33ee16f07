"""Prints the table of docs/concepts/time.md."""

from performance.published import comparing

if __name__ == "__main__":
    found = list(comparing.compared())
    print("\n".join(comparing.lines(found)))
    median, worst = comparing.factors(found)
    count = sum(not one.row.fitted for one in found)
    print(f"\nmedian factor {median:.2f}, worst {worst:.2f}, of {count} rows not fitted")
