//! What all lists have in common (specs/pingpp.md §2.4): limits, cursors and spans of time.

use domain::text::PublicId;
use domain::time::Timestamp;
use engine::{Engine, Page, Queries, StoreError};

use super::error::Problem;
use super::request::{Call, integer, integer_within};
use super::value::{Map, Value};

/// Seconds that a list looks back when no time is given: "about the last month".
const LOOK_BACK_SECONDS: i64 = 31 * 86_400;

/// Where a row stands in its list.
pub(super) type Position = (Timestamp, i64);

/// Reads `limit`, `starting_after` and `ending_before`. `position` finds a row by its public id.
pub(super) async fn page(
    engine: &Engine,
    call: &Call<'_>,
    query: &Map,
    position: impl Fn(&dyn Queries, &PublicId) -> Result<Option<Position>, StoreError>,
) -> Result<Page, Problem> {
    let limit = integer_within(query, "limit", (1, 100), 10)?;
    let mut page = Page { limit, after: None, before: None };
    for (name, place) in [("starting_after", &mut page.after), ("ending_before", &mut page.before)]
    {
        let id = match query.get(name) {
            None => continue,
            Some(Value::Text(id)) => id,
            Some(_) => return Err(Problem::wrong(name, "must be an id")),
        };
        let unknown = || Problem::not_found("object", id, name);
        let public_id = PublicId::parse(id).map_err(|_| unknown())?;
        let found = engine.read(|q| position(q, &public_id)).await;
        let found = found.map_err(|e| Problem::of_refusal(e, &call.request))?;
        *place = Some(found.ok_or_else(unknown)?);
    }
    if page.after.is_some() && page.before.is_some() {
        return Err(Problem::wrong("ending_before", "excludes starting_after"));
    }
    Ok(page)
}

/// Reads `created` and `created[gt|gte|lt|lte]` as a span: from the first second, before the other.
pub(super) fn span(
    query: &Map,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    const NAME: &str = "created";
    let bounds = match query.get(NAME) {
        None => return Ok((Some(now.plus_seconds(-LOOK_BACK_SECONDS)), None)),
        Some(Value::Map(bounds)) => bounds,
        Some(_) => {
            let second = integer(query, NAME)?.unwrap_or(0);
            let from = Timestamp::from_seconds(second);
            return Ok((Some(from), Some(from.plus_seconds(1))));
        }
    };
    let (mut from, mut to) = (None, None);
    for name in bounds.keys() {
        let param = format!("created[{name}]");
        let second =
            integer(bounds, name).map_err(|_| Problem::wrong(&param, "must be seconds"))?;
        let at = Timestamp::from_seconds(second.unwrap_or(0));
        let next = at.plus_seconds(1);
        match name.as_str() {
            "gt" => from = from.max(Some(next)),
            "gte" => from = from.max(Some(at)),
            "lt" => to = Some(to.map_or(at, |to: Timestamp| to.min(at))),
            "lte" => to = Some(to.map_or(next, |to: Timestamp| to.min(next))),
            _ => return Err(Problem::wrong(&param, "is no bound: use gt, gte, lt or lte")),
        }
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn span_of(query: &str) -> Option<(Option<i64>, Option<i64>)> {
        let (from, to) = span(&Value::from_form(query).unwrap(), NOW).ok()?;
        Some((from.map(Timestamp::seconds), to.map(Timestamp::seconds)))
    }

    #[test]
    fn spans_are_half_open_and_default_to_a_month() {
        assert_eq!(span_of("limit=1"), Some((Some(1_800_000_000 - 31 * 86_400), None)));
        assert_eq!(span_of("created=5"), Some((Some(5), Some(6))));
        assert_eq!(span_of("created[gt]=5"), Some((Some(6), None)));
        assert_eq!(span_of("created[gte]=5"), Some((Some(5), None)));
        assert_eq!(span_of("created[lt]=5"), Some((None, Some(5))));
        assert_eq!(span_of("created[lte]=5"), Some((None, Some(6))));
        let both = "created%5Bgt%5D=5&created%5Bgte%5D=9&created[lt]=20&created[lte]=18";
        assert_eq!(span_of(both), Some((Some(9), Some(19))));
    }

    #[test]
    fn spans_that_are_no_seconds_are_refused() {
        for bad in ["created=x", "created=", "created[gt]=x", "created[lte]=", "created[eq]=1"] {
            assert_eq!(span_of(bad), None, "{bad}");
        }
    }
}
