use super::*;

const KNOWN: &[Migration] = &[Migration { name: "0001_a", sql: "a" }, Migration { name: "0002_b", sql: "b" }];

fn of(versions: &[(i64, &'static str)], compatible_from: i64) -> Result<Schema, String> {
    let applied = Applied { migrations: versions.to_vec(), compatible_from };
    schema(KNOWN, &applied, |sql| sql).map_err(|error| error.to_string())
}

#[test]
fn what_was_not_applied_is_pending() {
    let pending = |versions: &[(i64, &'static str)]| of(versions, 1).unwrap().pending;
    assert_eq!(pending(&[]), ["0001_a", "0002_b"]);
    assert_eq!(pending(&[(1, "a")]), ["0002_b"]);
    assert_eq!(pending(&[(1, "a"), (2, "b")]), Vec::<&str>::new());
    assert_eq!(pending(&[(1, "a"), (2, "b"), (7, "g")]), Vec::<&str>::new());
}

#[test]
fn a_newer_form_is_worked_with_if_it_allows_that() {
    let newer = [(1, "a"), (2, "b"), (7, "g")];
    for compatible_from in [1, 2] {
        assert_eq!(of(&newer, compatible_from).unwrap().version, 7);
    }
    let error = of(&newer, 3).unwrap_err();
    for text in ["schema version 7", "know 3 or later", "knows 2", "run that version"] {
        assert!(error.contains(text), "{text}: {error}");
    }
}

#[test]
fn a_migration_in_another_form_is_refused() {
    assert!(of(&[(1, "a"), (2, "other")], 1).unwrap_err().contains("migration 2"));
}

/// What older programs may still use: statements that begin with these words take it away, or refuse what they write.
const CONTRACTING: [&str; 12] = [
    "drop table",
    "drop column",
    "drop index",
    "drop sequence",
    "drop default",
    "rename",
    "truncate",
    "delete from",
    "set not null",
    "add constraint",
    "create trigger",
    "create unique index",
];

/// Whether older programs can go on with the tables after this migration.
fn expands(sql: &str) -> Result<(), String> {
    let all = statements(sql);
    let created: Vec<&str> =
        all.iter().filter_map(|it| it.strip_prefix("create table ")?.split([' ', '(']).next()).collect();
    // An index on a table that nobody has worked with yet.
    let is_on_new = |statement: &str| {
        let table = statement.split_once(" on ").and_then(|(_, rest)| rest.split([' ', '(']).next());
        statement.contains("index") && table.is_some_and(|table| created.contains(&table))
    };
    for statement in all.iter().filter(|statement| !is_on_new(statement)) {
        let has = |words: &str| statement.contains(words);
        if let Some(words) = CONTRACTING.iter().find(|words| has(words)) {
            return Err(format!("{words}: {statement}"));
        }
        if has("alter table") && has(" type ") {
            return Err(format!("another type: {statement}"));
        }
        if has("add column") && has("not null") && !has("default") {
            return Err(format!("a column that older programs do not fill: {statement}"));
        }
    }
    Ok(())
}

/// The statements of a migration in lower case, without comments and with single spaces.
fn statements(sql: &str) -> Vec<String> {
    let code: Vec<&str> = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let normal = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    code.join("\n").split(';').map(normal).filter(|statement| !statement.is_empty()).collect()
}

/// The version that a migration asks programs to know from now on.
fn compatible_from(sql: &str) -> Option<i64> {
    statements(sql).iter().filter(|statement| statement.contains("'compatible_from'")).find_map(|statement| {
        let numbers = statement.split(|c: char| !c.is_ascii_digit());
        numbers.filter_map(|number| number.parse().ok()).next_back()
    })
}

/// What keeps a migration with this number from being published.
fn objection(version: i64, sql: &str) -> Option<String> {
    match (expands(sql), compatible_from(sql)) {
        // Nobody worked with what it creates.
        _ if version == 1 => None,
        (Ok(()), None) => None,
        (Ok(()), Some(_)) => Some("it takes nothing away, and shuts older programs out".to_owned()),
        (Err(taken), None) => Some(format!("without 'compatible_from': {taken}")),
        (Err(_), Some(from)) if from < version => None,
        (Err(_), Some(from)) => {
            Some(format!("programs of version {} are still running, and {from} is asked for", version - 1))
        }
    }
}

#[test]
fn migrations_expand_or_say_whom_they_shut_out() {
    for known in [crate::sqlite::MIGRATIONS, crate::postgres::MIGRATIONS] {
        for (version, migration) in (1..).zip(known) {
            assert!(migration.name.starts_with(&format!("{version:04}_")), "{}", migration.name);
            assert_eq!(objection(version, migration.sql), None, "{}", migration.name);
        }
    }
}

#[test]
fn what_contracts_is_told_from_what_expands() {
    let set = "INSERT INTO meta (key, value) VALUES ('compatible_from', 4) ON CONFLICT (key) DO UPDATE SET value = 4";
    for sql in [
        "CREATE TABLE a (b bigint NOT NULL); CREATE UNIQUE INDEX c ON a (b)",
        "CREATE INDEX b ON a (c)",
        "ALTER TABLE a ADD COLUMN b text -- no DROP TABLE\n",
        "ALTER TABLE a ADD COLUMN b boolean NOT NULL DEFAULT false",
        "UPDATE a SET b = 1 WHERE b IS NULL",
    ] {
        assert_eq!(objection(5, sql), None, "{sql}");
        assert!(objection(5, &format!("{sql}; {set}")).is_some(), "{sql}");
    }
    for sql in [
        "DROP TABLE a",
        "alter table a\n  drop column b",
        "ALTER TABLE a RENAME TO b",
        "ALTER TABLE a ALTER b TYPE integer",
        "ALTER TABLE a ADD COLUMN b text NOT NULL",
        "ALTER TABLE a ALTER COLUMN b SET NOT NULL",
        "CREATE UNIQUE INDEX b ON a (c)",
        "DELETE FROM meta WHERE key = 'a'",
    ] {
        assert!(objection(5, sql).is_some(), "{sql}");
        assert_eq!(objection(5, &format!("{sql}; {set}")), None, "{sql}");
        assert!(objection(4, &format!("{sql}; {set}")).is_some(), "{sql}");
    }
}
