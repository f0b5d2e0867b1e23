//! How Postgres would go about the statements that our code sends.

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};

/// The plans for any values of the statements that contain these words, of those that the connection has run: Postgres is asked to
/// explain what our code sends.
pub async fn plans(conn: &mut PgConnection, words: &str) -> Vec<Value> {
    sqlx::raw_sql("SET plan_cache_mode = force_generic_plan").execute(&mut *conn).await.unwrap();
    let prepared: Vec<(String, i32)> = sqlx::query_as(
        "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements
          WHERE statement LIKE '%' || $1 || '%' AND statement NOT LIKE '%pg_prepared%'",
    )
    .bind(words)
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert!(!prepared.is_empty(), "nothing that contains {words} was run");
    let mut plans = Vec::new();
    for (name, arguments) in prepared {
        let arguments = vec!["NULL"; usize::try_from(arguments).unwrap()].join(", ");
        let arguments = if arguments.is_empty() { arguments } else { format!("({arguments})") };
        let explain = AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) EXECUTE {name}{arguments}"));
        let row = sqlx::raw_sql(explain).fetch_one(&mut *conn).await.unwrap();
        plans.push(sqlx::Row::get::<Value, _>(&row, 0));
    }
    plans
}

/// Fails unless the plans go by these indexes and read no large table through.
#[track_caller]
pub fn go_by(plans: &[Value], indexes: &[&str]) {
    let text = plans.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for index in indexes {
        assert!(text.contains(&format!("\"Index Name\":\"{index}\"")), "not by {index}: {text}");
    }
    assert!(!text.contains("\"Seq Scan\"") && !text.contains("\"Hash\""), "a table is read through: {text}");
}

/// The same, and nothing is sorted.
#[track_caller]
pub fn walk_along(plans: &[Value], indexes: &[&str]) {
    go_by(plans, indexes);
    let text = plans.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(!text.contains("\"Sort\""), "something is sorted: {text}");
}
