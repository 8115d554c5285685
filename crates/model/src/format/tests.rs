use super::*;

fn check(validator: Validator, valid: &[&str], invalid: &[&str]) {
    for text in valid {
        assert!(validator(text), "{text:?} should be valid");
    }
    for text in invalid {
        assert!(!validator(text), "{text:?} should not be valid");
    }
}

fn letters(count: usize) -> String {
    "a".repeat(count)
}

#[test]
fn dns_subdomains() {
    let longest = format!("{}.{}.{}.{}", letters(63), letters(63), letters(63), letters(61));
    assert_eq!(longest.len(), DNS_SUBDOMAIN_LENGTH_MAX);
    let too_long = format!("{longest}a");
    check(
        is_dns_subdomain,
        &["a", "a.b-c.9", "a--b.c", &longest, &letters(63)],
        &["", ".", ".a", "a.", "a..b", "-a", "a-", "a.-b", "A", "a_b", "ä", &too_long, &letters(64)],
    );
}

#[test]
fn api_versions() {
    let longest = letters(63);
    check(
        is_valid_api_version,
        &["v1", "1", "a-b.c/v1", "backstage.io/v1alpha1", "AZ09", &longest],
        &["", "a-b", "a_b", "a.b", "1.0", "v1-a", "/a", "a/", "a/b/c", "A.b/v1", "a/v_1", &letters(64)],
    );
}

#[test]
fn kinds() {
    check(
        is_valid_kind,
        &["A", "a9", "Component", &letters(63)],
        &["", "9AZ", "a-b", "a.b", "Ä", &letters(64)],
    );
}

#[test]
fn names() {
    check(
        is_valid_entity_name,
        &["a", "9", "a--b", "a..b", "a_b", "a.-_b", "AZ09", &letters(63)],
        &["", "-a", "a-", ".a", "a_", "a/b", "a b", "größe", "a:b", &letters(64)],
    );
}

#[test]
fn namespaces() {
    check(
        is_valid_namespace,
        &["a", "9", "a-b", "a--b", &letters(63)],
        &["", "AZ09", "a_b", "a.b", "-a", "a-", "a b", &letters(64)],
    );
}

#[test]
fn keys_of_labels_and_annotations() {
    for validator in [is_valid_label_key, is_valid_annotation_key] {
        check(
            validator,
            &["a", "a.b_c", "example.com/Some_name", &format!("{0}.{0}/{0}", letters(63))],
            &[
                "",
                "/",
                "a/",
                "/a",
                "a/b/c",
                "A.b/c",
                "backstage:io/x",
                "a b",
                &letters(64),
                &format!("{}/a", letters(64)),
            ],
        );
    }
}

#[test]
fn values_of_labels_and_annotations() {
    check(is_valid_label_value, &["", "a", "a--b"], &[" ", "has space", "-a", &letters(64)]);
    check(is_valid_annotation_value, &["", "ä b", &"/".repeat(6000)], &[]);
}

#[test]
fn tags() {
    check(
        is_valid_tag,
        &["a", "9", "a-b", "c++", "c#", "a:b", "#+:", &letters(63)],
        &["", "A", "a--b", "-a", "a-", "a_b", "node.js", "a b", &letters(64)],
    );
}

#[test]
fn urls() {
    check(
        is_valid_url,
        &["https://a", " https://a", "xyz://custom:4444/p", "ftp://a", "mailto:x", "javascript:x"],
        &["", "abc", "/a", "//a/b", "https://", "a b:c"],
    );
}

#[test]
fn blank_texts() {
    check(is_non_blank, &["a", " a "], &["", "   ", "\u{feff}\n"]);
}
