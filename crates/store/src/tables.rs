//! Rules about rows, for every store that keeps the catalog in tables: what is derived in them follows from what it is
//! derived from, and a damaged row is the business of its own entity.
//!
//! [`table_suite!`] makes one test of each rule for one store, which says through [`Tables`] how to get at its rows.
//! The tables have the same names and columns in all stores. Where a type differs, its values are compared in SQL.

pub(crate) mod damage;
pub(crate) mod doctor;
pub(crate) mod histories;
pub(crate) mod stitching;

use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::Store;
use crate::rules::statement::FaultHook;

/// What can be read from a row of any store.
pub(crate) trait AnyRow:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> AnyRow for T {}

/// A store whose tables a test can look into and damage.
pub(crate) trait Tables: Store + Sized {
    /// Statements that make the result of `component:default/a` unreadable.
    const UNREADABLE: &[&str];
    /// A statement that makes the unprocessed `component:default/a` unreadable.
    const UNREADABLE_UNPROCESSED: &str;
    /// Loses the result of `component:default/a`, and nothing else.
    const LOSE_RESULT: &str =
        "DELETE FROM results WHERE id = (SELECT id FROM refs WHERE entity_ref = 'component:default/a')";
    /// Statements that make the result of the entity with the lowest number one that cannot be stitched, each with words
    /// of the error.
    const UNSTITCHABLE: &[(&str, &str)];
    /// The same for relations that others have with this entity.
    const UNSTITCHABLE_PEERS: &[(&str, &str)];
    /// Statements that delete all unprocessed entities and nothing else.
    const LOSE_ALL_UNPROCESSED: &[&str];
    /// Statements that delete the unprocessed `component:default/d` and nothing else.
    const LOSE_UNPROCESSED: &[&str];
    /// A statement that counts five relations too many.
    const MISCOUNT: &str;
    /// A statement that has the change log begin again.
    const LOSE_HEAD: &str;

    /// Opens an empty store whose statements fail as the hook says, if one is to be had.
    async fn open_with(fault: Option<FaultHook>) -> Option<Self>;

    /// Opens an empty store, if one is to be had.
    async fn open_empty() -> Option<Self> {
        Self::open_with(None).await
    }

    /// Changes rows behind the back of the store.
    async fn execute(&self, sql: &'static str);

    async fn rows<T>(&self, sql: String) -> Vec<T>
    where
        T: AnyRow;

    async fn count(&self, sql: &str) -> i64 {
        self.rows::<(i64,)>(sql.to_owned()).await[0].0
    }
}

macro_rules! table_suite {
    ($store:ty) => {
        proptest::proptest! {
            #![proptest_config($crate::tables::histories::config())]

            #[test]
            fn what_is_derived_is_what_its_sources_say(history in $crate::tables::histories::history()) {
                $crate::tables::histories::check::<$store>(&history);
            }
        }

        $crate::tables::table_suite!(@area $store, damage {
            a_new_result_takes_the_place_of_one_that_cannot_be_read
            a_new_result_meets_relations_of_one_that_was_lost
            an_entity_whose_result_cannot_be_read_can_be_deleted
            no_ref_is_forgotten_while_a_result_cannot_be_read
            a_due_entity_that_cannot_be_read_does_not_hold_up_the_others
        });
        $crate::tables::table_suite!(@area $store, doctor {
            what_is_damaged_is_found_and_mended
            what_only_a_person_can_mend_is_found_and_left
            locations_are_held_by_their_entities_and_the_other_way_round
            an_entity_that_awaits_a_full_run_is_in_order
            no_page_leaves_out_what_the_next_one_begins_after
            mending_that_fails_at_any_statement_changes_nothing
        });
        $crate::tables::table_suite!(@area $store, stitching {
            an_entity_whose_rows_make_no_sense_keeps_what_is_served_and_holds_up_nobody
            new_results_mend_what_stitching_could_not_read
            a_stitching_error_goes_with_its_entity
            an_error_that_cannot_be_read_back_hides_no_other
        });
    };
    (@area $store:ty, $area:ident { $($rule:ident)* }) => {
        mod $area {
            $(
                #[tokio::test]
                async fn $rule() {
                    $crate::tables::$area::$rule::<$store>().await;
                }
            )*
        }
    };
}

pub(crate) use table_suite;
