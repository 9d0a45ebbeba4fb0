//! Lists, a page at a time.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::problem::Problem;

/// Items of a page when the request does not say.
pub const DEFAULT_PAGE: usize = 100;
/// Most items of one page.
pub const MAX_PAGE: usize = 1_000;

/// Which page is wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Most items to answer with, 1 to 1000; 100 without it.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<u32>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Give it as `after` to get what follows; null at the end of the list.
    #[schema(required)]
    pub next: Option<String>,
    /// Items of the whole list that fit the filters.
    pub total: usize,
}

/// The rows of one page before they are rendered.
pub(super) struct Slice<R> {
    pub(super) rows: Vec<R>,
    next: Option<u32>,
    total: usize,
}

impl<R> Slice<R> {
    /// Cuts a page out of `rows`, whose `key`s run in one direction: a page starts after the row
    /// whose key is the cursor, and a row that comes or goes in between shifts no other.
    pub(super) fn cut(
        rows: impl Iterator<Item = R>,
        key: impl Fn(&R) -> u32,
        direction: Direction,
        query: &PageQuery,
    ) -> Result<Self, Problem> {
        let limit = query.limit.unwrap_or(DEFAULT_PAGE);
        if limit == 0 || MAX_PAGE < limit {
            return Err(Problem::field("limit", format!("must be 1 to {MAX_PAGE}")));
        }
        let mut slice = Self {
            rows: Vec::new(),
            next: None,
            total: 0,
        };
        let mut more = false;
        for row in rows {
            slice.total += 1;
            let wanted = query.after.is_none_or(|after| match direction {
                Direction::Ascending => after < key(&row),
                Direction::Descending => key(&row) < after,
            });
            if !wanted {
                continue;
            }
            if slice.rows.len() < limit {
                slice.rows.push(row);
            } else {
                more = true;
            }
        }
        slice.next = slice.rows.last().filter(|_| more).map(key);
        Ok(slice)
    }

    /// The page, each row rendered; a row that is gone by now is left out.
    pub(super) fn render_all<T>(self, render: impl FnMut(R) -> Option<T>) -> Page<T> {
        Page {
            items: self.rows.into_iter().filter_map(render).collect(),
            next: self.next.map(|key| key.to_string()),
            total: self.total,
        }
    }

    /// The page, each row rendered.
    pub(super) fn render<T>(self, render: impl FnMut(R) -> T) -> Page<T> {
        Page {
            items: self.rows.into_iter().map(render).collect(),
            next: self.next.map(|key| key.to_string()),
            total: self.total,
        }
    }
}

/// Which way the keys of a list run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: &[u32], direction: Direction, limit: usize, after: Option<u32>) -> Page<u32> {
        let query = PageQuery {
            limit: Some(limit),
            after,
        };
        Slice::cut(rows.iter().copied(), |row| *row, direction, &query)
            .unwrap()
            .render(|row| row)
    }

    #[test]
    fn pages_join_up_to_the_list() {
        let rows: Vec<u32> = (0..7).map(|n| n * 3).collect();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = page(&rows, Direction::Ascending, 3, after);
            assert_eq!(page.total, 7);
            seen.extend(page.items);
            let Some(next) = page.next else { break };
            after = Some(next.parse().unwrap());
        }
        assert_eq!(seen, rows);
    }

    #[test]
    fn a_full_last_page_has_no_next() {
        assert_eq!(page(&[1, 2], Direction::Ascending, 2, None).next, None);
        assert_eq!(
            page(&[9, 5, 2], Direction::Descending, 2, Some(9)).items,
            [5, 2]
        );
        assert_eq!(
            page(&[9, 5, 2], Direction::Descending, 1, Some(9))
                .next
                .as_deref(),
            Some("5")
        );
    }

    #[test]
    fn limits_outside_the_range_are_refused() {
        for limit in [0, MAX_PAGE + 1] {
            let query = PageQuery {
                limit: Some(limit),
                after: None,
            };
            let refused = Slice::cut([1].into_iter(), |row| *row, Direction::Ascending, &query);
            assert_eq!(
                refused.err().and_then(|p| p.field).as_deref(),
                Some("limit")
            );
        }
    }
}
