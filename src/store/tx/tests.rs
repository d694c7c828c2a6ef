//! How SQLite goes about a statement, for tests: what an operator looks at costs
//! the same at any size of the store.

use crate::store::Database;
use rusqlite::StatementStatus;

/// Panics unless the statement finds its rows by an index and sorts nothing.
pub fn assert_bounded(sql: &str) {
    let database = Database::in_memory().unwrap();
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let tx = database.tx();
    // Raw: a plan needs no values for the parameters.
    let mut statement = tx.connection.prepare(&explain).unwrap();
    let rows = statement
        .raw_query()
        .mapped(|row| row.get::<_, String>("detail"));
    let steps: Vec<String> = rows.map(Result::unwrap).collect();
    assert!(!steps.is_empty(), "no plan for {sql}");
    for step in &steps {
        // A list that was given along is read from end to end.
        let scans = step.starts_with("SCAN") && !step.contains("json_each");
        assert!(!scans && !step.contains("TEMP B-TREE"), "{step}: {sql}");
    }
}

#[test]
#[should_panic(expected = "SCAN event")]
fn a_walk_over_a_table_is_seen() {
    assert_bounded("SELECT id FROM event WHERE type = ?1");
}

#[test]
#[should_panic(expected = "TEMP B-TREE")]
fn a_sort_is_seen() {
    assert_bounded("SELECT id FROM event WHERE id > ?1 ORDER BY type");
}

#[test]
fn a_statement_is_planned_once_whatever_its_values() {
    let database = Database::in_memory().unwrap();
    let tx = database.tx();
    let sql = "SELECT min(due) FROM job WHERE queue = ?1 AND priority = ?2 AND due IS NOT NULL";
    let mut statement = tx.connection.prepare(sql).unwrap();
    for queue in 0..5 {
        let due = statement.query_row([queue, 0], |row| row.get::<_, Option<i64>>(0));
        assert_eq!(due.unwrap(), None);
    }
    assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
}

#[test]
fn sqlite_is_compiled_as_we_want_it() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    let mut all = connection.prepare("PRAGMA compile_options").unwrap();
    let mut rows = all.query([]).unwrap();
    let mut found = false;
    while let Some(row) = rows.next().unwrap() {
        found |= row.get::<_, String>(0).unwrap() == "DEFAULT_MEMSTATUS=0";
    }
    assert!(found, "the flags in .cargo/config.toml did not get there");
}
