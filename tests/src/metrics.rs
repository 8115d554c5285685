//! Prometheus text, as far as the tests need it: numbers of things. Times are not looked at.

use std::collections::BTreeMap;

/// The samples of one look, by name and labels as they were written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics(BTreeMap<String, u64>);

impl Metrics {
    pub(crate) fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// The sum of all samples of `name` with `label="value"`.
    pub fn labelled(&self, name: &str, label: &str, value: &str) -> u64 {
        self.by_label(name, label).get(value).copied().unwrap_or_default()
    }

    /// The sums of the samples of `name` by the values of `label`.
    pub fn by_label(&self, name: &str, label: &str) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        let start = format!("{label}=\"");
        for (series, value) in self.of(name) {
            let labels = series.split_once(['{', ',']).map_or("", |(_, labels)| labels);
            let found =
                labels.split([',', '}']).find_map(|pair| pair.strip_prefix(&start)?.strip_suffix('"'));
            *sums.entry(found.unwrap_or_default().to_owned()).or_default() += value;
        }
        sums
    }

    /// The sum of all samples of `name`.
    pub fn sum(&self, name: &str) -> u64 {
        self.of(name).map(|(_, value)| value).sum()
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
        self.0.iter().filter_map(move |(series, value)| {
            let rest = series.strip_prefix(name)?;
            (rest.is_empty() || rest.starts_with('{')).then_some((series.as_str(), *value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_by_label() {
        let text = "# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{y=\"2\",x=\"4\"} 5\nab{y=\"2\"} 100\nb 7\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.labelled("a", "y", "2"), 8);
        assert_eq!(metrics.labelled("a", "x", "4"), 5);
        assert_eq!(metrics.labelled("a", "x", "9"), 0);
        assert_eq!(metrics.sum("b"), 7);
    }
}
