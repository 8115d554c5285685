//! `${NAME}` in texts.

/// What substitution makes of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Substituted {
    /// The text, with all parts resolved.
    Text(String),
    /// A part has no value, so the whole text has none.
    Gone,
}

/// Resolves each `${NAME}` and `${NAME:-default}`; `$${…}` is a literal `${…}`. One pass: what comes out of a variable is
/// not looked at again.
pub(crate) fn substitute(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Substituted {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inner, after)) = next_reference(rest) {
        if let Some(before) = before.strip_suffix('$') {
            resolved.push_str(before);
            resolved.push_str("${");
            resolved.push_str(inner);
            resolved.push('}');
        } else {
            resolved.push_str(before);
            let Some(value) = resolve(inner, &lookup) else {
                return Substituted::Gone;
            };
            resolved.push_str(&value);
        }
        rest = after;
    }
    resolved.push_str(rest);
    Substituted::Text(resolved)
}

/// Splits at the first `${…}` without braces inside.
fn next_reference(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find("${") {
        let start = from + found;
        let inner_start = start + "${".len();
        let tail = text.get(inner_start..)?;
        match tail.find(['{', '}']) {
            Some(end) if tail.as_bytes().get(end) == Some(&b'}') => {
                return Some((text.get(..start)?, tail.get(..end)?, tail.get(end + 1..)?));
            }
            _ => from = inner_start,
        }
    }
    None
}

fn resolve(inner: &str, lookup: impl Fn(&str) -> Option<String>) -> Option<String> {
    match inner.split_once(":-") {
        Some((name, default)) => lookup(name.trim())
            .filter(|value| !value.is_empty())
            .or_else(|| Some(default.trim().to_owned()).filter(|default| !default.is_empty())),
        None => lookup(inner.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "FOO" => Some("foo".to_owned()),
            "EMPTY" => Some(String::new()),
            "N-x" => Some("dash".to_owned()),
            "NESTED" => Some("${FOO}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn references_are_resolved_once() {
        let table = [
            ("plain", Some("plain")),
            ("", Some("")),
            ("${FOO}", Some("foo")),
            ("${ FOO }", Some("foo")),
            ("a${FOO}b${FOO}c", Some("afoobfooc")),
            ("${FOO}-${MISSING}", None),
            ("${}", None),
            ("$${FOO}", Some("${FOO}")),
            ("$$${FOO}", Some("$${FOO}")),
            ("$$$${FOO}", Some("$$${FOO}")),
            ("$${FOO}${FOO}", Some("${FOO}foo")),
            ("${EMPTY}", Some("")),
            ("${EMPTY:-d}", Some("d")),
            ("${FOO:-d}", Some("foo")),
            ("${MISSING:-}", None),
            ("${MISSING:-a:-b}", Some("a:-b")),
            ("${MISSING:- a b }", Some("a b")),
            ("$FOO", Some("$FOO")),
            ("${N-x}", Some("dash")),
            ("${NESTED}", Some("${FOO}")),
            ("${a{b}", Some("${a{b}")),
            ("${FOO}${", Some("foo${")),
            ("${a{${FOO}", Some("${a{foo")),
        ];
        for (text, expected) in table {
            let expected = expected.map_or(Substituted::Gone, |text| Substituted::Text(text.to_owned()));
            assert_eq!(substitute(text, lookup), expected, "{text:?}");
        }
    }
}
