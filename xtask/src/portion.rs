//! What is known of a long run of seeds that was made in portions: which seeds were run at which
//! revision, and what came of them.
//!
//! The file has one JSON line for each portion and closes with their sum.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::simulation::{Side, add};

/// Seeds in a row that were run at one revision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Portion {
    /// The first of them.
    pub(crate) from: u64,
    /// How many.
    pub(crate) seeds: u64,
    /// Of the sources.
    pub(crate) revision: String,
    /// What the simulation says of them together.
    pub(crate) outcome: Map<String, Value>,
}

/// Portions in the order of their seeds, none of which is in two of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Portions(Vec<Portion>);

impl Portion {
    /// The first seed after it.
    fn end(&self) -> u64 {
        self.from + self.seeds
    }

    fn read(line: &str) -> Result<Self> {
        let all: Map<String, Value> = serde_json::from_str(line)?;
        let number = |key| all.get(key).and_then(Value::as_u64).context(key);
        let revision = all.get("revision").and_then(Value::as_str);
        let outcome = all.get("outcome").and_then(Value::as_object);
        Ok(Self {
            from: number("from")?,
            seeds: number("seeds")?,
            revision: revision.context("revision")?.to_owned(),
            outcome: outcome.context("outcome")?.clone(),
        })
    }

    fn line(&self) -> Value {
        json!({
            "from": self.from,
            "seeds": self.seeds,
            "revision": self.revision,
            "outcome": self.outcome,
        })
    }
}

impl Portions {
    /// What the file says; its closing line is made anew each time.
    ///
    /// # Errors
    /// When a line is none of ours, or a seed is in two portions.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let mut portions = Self::default();
        for (number, line) in text.lines().enumerate() {
            if line.starts_with("{\"all\"") {
                continue;
            }
            let portion = Portion::read(line);
            let portion = portion.with_context(|| format!("line {} is no portion", number + 1))?;
            portions.add(portion)?;
        }
        Ok(portions)
    }

    /// As the file has it.
    pub(crate) fn text(&self) -> String {
        let lines = self.0.iter().map(|portion| format!("{}\n", portion.line()));
        let all = self.all();
        lines
            .chain([format!("{}\n", json!({ "all": all }))])
            .collect()
    }

    /// All portions together, with the revisions that they are of.
    pub(crate) fn all(&self) -> Map<String, Value> {
        let mut sum = Map::new();
        let mut revisions: Vec<&str> = Vec::new();
        for portion in &self.0 {
            add(&mut sum, portion.outcome.clone(), Side::After);
            if !revisions.contains(&portion.revision.as_str()) {
                revisions.push(&portion.revision);
            }
        }
        sum.insert("revisions".to_owned(), json!(revisions));
        sum
    }

    /// Takes in a portion; it becomes one with those that it continues at the same revision.
    ///
    /// # Errors
    /// When one of its seeds was run already.
    pub(crate) fn add(&mut self, mut portion: Portion) -> Result<()> {
        let after = self.0.partition_point(|it| it.from < portion.from);
        let before = after.checked_sub(1).map(|index| &self.0[index]);
        let meets = before.is_some_and(|it| portion.from < it.end())
            || self.0.get(after).is_some_and(|it| it.from < portion.end());
        if meets {
            bail!("some seeds from {} on were run before", portion.from);
        }
        let is_next = |it: &Portion| it.end() == portion.from && it.revision == portion.revision;
        if before.is_some_and(is_next) {
            let mut whole = self.0.remove(after - 1);
            add(&mut whole.outcome, portion.outcome, Side::After);
            whole.seeds += portion.seeds;
            portion = whole;
            self.0.insert(after - 1, portion);
        } else {
            self.0.insert(after, portion);
        }
        Ok(())
    }

    /// What is not run yet of the seeds from `from` to before `to`: the first of them, and how many
    /// in a row, at most `most`.
    pub(crate) fn missing(&self, (from, to): (u64, u64), most: u64) -> Option<(u64, u64)> {
        let mut first = from;
        for portion in &self.0 {
            if portion.from <= first {
                first = first.max(portion.end());
            } else {
                let gap = portion.from.min(to).saturating_sub(first);
                if 0 < gap {
                    return Some((first, gap.min(most)));
                }
            }
        }
        let left = to.saturating_sub(first);
        (0 < left).then_some((first, left.min(most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portion(from: u64, seeds: u64, revision: &str) -> Portion {
        let outcome = json!({"seeds": seeds, "ders": 50, "violations": 0, "wall_s": 1.5});
        let Value::Object(outcome) = outcome else {
            unreachable!("it is written so");
        };
        Portion {
            from,
            seeds,
            revision: revision.to_owned(),
            outcome,
        }
    }

    #[test]
    fn portions_go_on_where_the_last_ones_ended() {
        let mut portions = Portions::default();
        assert_eq!(portions.missing((1, 101), 40), Some((1, 40)));
        portions.add(portion(1, 40, "a")).unwrap();
        assert_eq!(portions.missing((1, 101), 40), Some((41, 40)));
        portions.add(portion(61, 20, "a")).unwrap();
        assert_eq!(portions.missing((1, 101), 40), Some((41, 20)));
        portions.add(portion(41, 20, "b")).unwrap();
        assert_eq!(portions.missing((1, 101), 40), Some((81, 20)));
        assert_eq!(portions.missing((1, 81), 40), None);
        assert!(portions.add(portion(80, 5, "b")).is_err());
        assert!(portions.add(portion(60, 1, "b")).is_err());
    }

    #[test]
    fn the_file_has_each_portion_and_closes_with_their_sum() {
        let mut portions = Portions::default();
        for (from, revision) in [(1, "a"), (21, "a"), (41, "b")] {
            portions.add(portion(from, 20, revision)).unwrap();
        }
        let text = portions.text();
        assert_eq!(Portions::read(&text).unwrap(), portions);
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3, "what goes on at one revision is one line");
        assert_eq!(lines[0]["seeds"], 40);
        let all = &lines[2]["all"];
        assert_eq!((&all["seeds"], &all["ders"]), (&json!(60), &json!(50)));
        assert_eq!(all["wall_s"], 4.5, "one after the other");
        assert_eq!(all["revisions"], json!(["a", "b"]));
        assert!(Portions::read("seeds 1 to 20\n").is_err());
    }
}
