//! A reader of the Prometheus text format, for the few questions that the runner has. What it cannot read it leaves
//! out: a daemon has many metrics that are no concern of a bench.

use std::collections::BTreeMap;

use crate::figures::whole;

/// The samples of one scrape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples(Vec<Sample>);

#[derive(Debug, Clone, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Samples {
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.filter_map(parse_sample).collect())
    }

    /// The samples of a metric of whole numbers, by the value of a label. Samples without the label stand under an empty
    /// value; those that differ in other labels are added up.
    pub fn by_label(&self, name: &str, label: &str) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for sample in self.0.iter().filter(|sample| sample.name == name) {
            let key = sample.labels.get(label).cloned().unwrap_or_default();
            *sums.entry(key).or_default() += whole(sample.value);
        }
        sums
    }
}

/// What was added to counters, by label, for those that moved.
pub fn added(now: &BTreeMap<String, u64>, earlier: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let before = |key: &String| earlier.get(key).copied().unwrap_or_default();
    let added = now.iter().map(|(key, count)| (key.clone(), count.saturating_sub(before(key))));
    added.filter(|(_, count)| *count > 0).collect()
}

/// `name{label="value",...} value [timestamp]`
fn parse_sample(line: &str) -> Option<Sample> {
    let name_end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// The labels up to the closing brace, and what follows it.
fn parse_labels(text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (label, after) = rest.split_once('=')?;
        let (value, after) = parse_quoted(after.trim_start().strip_prefix('"')?)?;
        labels.insert(label.trim().to_owned(), value);
        let after = after.trim_start();
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
    }
}

/// A label's value up to the closing quotation mark, without its escapes, and what follows it.
fn parse_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((position, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(position + 1..)?)),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                escaped => escaped,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, u64)]) -> BTreeMap<String, u64> {
        entries.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
    }

    #[test]
    fn reads_samples_with_and_without_labels() {
        let samples = Samples::parse(
            "# HELP catalog_entities_count Total amount of entities\n\
             # TYPE catalog_entities_count gauge\n\
             catalog_entities_count{kind=\"component\"} 60\n\
             catalog_entities_count{ kind = \"api\" , } 1.5e1 1700000000000\n\
             catalog_entities_count_other{kind=\"api\"} 7\n\
             plain 3\n",
        );
        assert_eq!(
            samples.by_label("catalog_entities_count", "kind"),
            map(&[("api", 15), ("component", 60)])
        );
        assert_eq!(samples.by_label("plain", "kind"), map(&[("", 3)]));
        assert_eq!(samples.by_label("absent", "kind"), map(&[]));
    }

    #[test]
    fn adds_up_samples_that_differ_in_other_labels() {
        let samples =
            Samples::parse("rows{table=\"a\",op=\"insert\"} 2\nrows{op=\"delete\",table=\"a\"} 3\n");
        assert_eq!(samples.by_label("rows", "table"), map(&[("a", 5)]));
    }

    #[test]
    fn undoes_escapes_in_values_of_labels() {
        let samples = Samples::parse(r#"x{a="q\"b\\s\nn,}={"} 1"#);
        assert_eq!(samples.by_label("x", "a"), map(&[("q\"b\\s\nn,}={", 1)]));
    }

    #[test]
    fn leaves_out_what_it_cannot_read() {
        let broken = ["x", "x{", "x{a=\"b\" 1", "x{a=b} 1", "x{a=\"b\"}", "x one", "x{a=\"\\", "{}"];
        for line in broken {
            let samples = Samples::parse(&format!("{line}\nfine 1\n"));
            assert_eq!(samples.by_label("fine", ""), map(&[("", 1)]), "{line}");
            assert_eq!(samples.by_label("x", "a"), map(&[]), "{line}");
        }
    }

    #[test]
    fn values_that_are_no_counts_are_cut_to_counts() {
        let samples = Samples::parse("x{a=\"1\"} NaN\nx{a=\"2\"} -5\nx{a=\"3\"} +Inf\n");
        assert_eq!(samples.by_label("x", "a"), map(&[("1", 0), ("2", 0), ("3", u64::MAX)]));
    }

    #[test]
    fn differences_leave_out_what_did_not_move() {
        let earlier = map(&[("a", 1), ("b", 2), ("reset", 9)]);
        let now = map(&[("a", 4), ("b", 2), ("c", 1), ("reset", 0)]);
        assert_eq!(added(&now, &earlier), map(&[("a", 3), ("c", 1)]));
    }
}
