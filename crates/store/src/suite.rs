//! The rules that every store must keep, as functions over `&dyn Store`.
//!
//! [`store_suite!`](crate::store_suite) makes one test of each rule for one kind of store.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "this is test code, although it is compiled into the library for the use of other crates"
)]

pub mod children;
pub mod claims;
pub mod cluster;
pub mod conflicts;
pub mod errors;
pub mod faults;
pub mod leases;
pub mod load;
pub mod locations;
pub mod log;
pub mod newer;
pub mod openings;
pub mod outcomes;
pub mod processors;
pub mod providers;
pub mod pruning;
pub mod relations;
pub mod requests;
pub mod stitching;
pub mod texts;
pub mod traps;
pub mod world;

pub use crate::rules::statement::FaultHook;

/// Makes a test of each rule. The argument is the name of an async function that opens an empty store, or answers `None`
/// where there is none to be had.
#[macro_export]
macro_rules! store_suite {
    ($open:ident) => {
        $crate::store_suite!(@area $open children {
            new_children_are_due
            the_first_children_are_handed_out_with_leases
            children_queue_behind_whoever_waits_for_their_parent
            children_with_the_same_content_are_left_alone
            a_child_with_other_content_is_handed_out_with_its_memory
            a_child_that_failed_waits_for_its_own_retry
            a_child_that_is_being_processed_is_not_handed_out
            all_parents_are_kept
            two_parents_may_emit_the_same_new_child_in_one_batch
            a_child_may_be_committed_with_its_parent
            a_child_that_is_no_longer_emitted_is_an_orphan
            children_of_kept_groups_stay
            a_child_may_move_to_another_group
            a_child_of_two_targets_needs_a_run_that_reads_both
            a_refused_child_of_two_targets_is_not_lost_with_one_of_them
            an_outcome_without_children_drops_them_all
            whole_batches_go_in_at_once
        });
        $crate::store_suite!(@area $open claims {
            a_claim_carries_all_that_processing_needs
            nothing_is_claimed_twice
            concurrent_claimers_get_disjoint_sets
            the_longest_due_is_claimed_first
            lower_lanes_are_served_first
            what_is_not_due_yet_is_not_claimed
            an_entity_whose_lease_ran_out_is_due
            a_lease_that_ran_out_is_still_good_until_somebody_claims
            leases_can_be_prolonged_while_they_are_held
            nothing_is_due_in_an_empty_catalog
            a_job_is_leased_prolonged_and_given_back
        });
        $crate::store_suite!(@area $open conflicts {
            keys_of_a_child_follow_the_table
            a_refused_parent_is_no_parent
            a_parent_is_due_when_another_one_no_longer_emits_what_both_did
            a_parent_is_due_when_another_one_is_gone_that_emitted_the_same
            a_parent_is_due_when_another_one_comes_with_another_key
            a_parent_may_change_the_key_of_what_only_it_hands_over
            two_parents_that_swap_their_keys_in_one_batch_do_not_both_have_the_child
            a_refusal_is_an_error_of_the_parent
            a_refused_parent_is_due_when_the_entity_in_its_way_is_deleted
            a_refused_parent_is_due_when_the_entity_in_its_way_becomes_an_orphan
            a_refused_parent_is_due_when_the_key_in_its_way_changes
            a_refused_provider_is_told
            a_refused_entity_is_not_in_the_bucket
            an_entity_without_a_key_can_be_taken_over
            a_provider_may_change_the_key_of_what_is_its_own
            nobody_changes_the_key_of_what_others_hold_too
            what_only_a_provider_that_is_gone_handed_over_can_be_taken_over
            what_others_hold_too_keeps_its_key_when_a_provider_is_gone
            what_providers_share_that_are_gone_can_be_taken_over
            a_refused_parent_is_due_when_the_key_in_its_way_is_released
        });
        $crate::store_suite!(@area $open errors {
            an_error_is_kept_with_its_address
            the_same_error_again_is_counted
            errors_go_away_with_their_cause
            repeated_errors_of_one_run_are_one
            errors_are_shown_in_the_status_until_they_are_gone
            an_error_is_shown_with_its_causes
            an_error_with_endless_causes_is_kept_like_any_other
            a_warning_lasts_until_a_good_run_does_without_it
            a_warning_is_neither_shown_in_the_status_nor_counted
            an_entity_that_never_ran_well_has_errors_but_no_final_entity
            errors_are_found_by_what_they_are_about
            errors_come_in_pages
            conflicts_of_a_provider_are_found_under_its_name
        });
        $crate::store_suite!(@area $open locations {
            registering_hands_over_the_location_entity
            a_location_is_registered_once
            registering_again_may_ask_for_a_refresh
            a_ref_is_that_of_one_location_only
            a_location_can_point_elsewhere
            a_location_may_be_updated_to_what_it_is
            updates_are_refused_with_reasons
            unregistering_removes_what_only_the_location_brought_in
            locations_are_listed_by_id
        });
        $crate::store_suite!(@area $open log {
            changes_are_logged_in_order
            what_is_as_it_was_is_not_logged
            what_was_never_visible_is_not_logged_when_it_goes
            a_trimmed_log_says_where_it_begins
            tidying_forgets_only_refs_that_nothing_mentions
        });
        $crate::store_suite!(@area $open outcomes {
            an_outcome_for_an_unknown_entity_is_refused
            an_outcome_of_another_lease_is_refused
            an_outcome_is_good_once
            an_outcome_under_another_location_key_is_refused
            an_outcome_gives_its_location_key_to_an_entity_without
            an_entity_that_was_taken_over_meanwhile_refuses_the_outcome
            an_entity_that_was_deleted_meanwhile_refuses_the_outcome
            a_refused_outcome_leaves_no_trace
            a_refused_outcome_does_not_touch_the_others
            a_good_run_is_remembered_for_the_next_claim
            an_unchanged_outcome_only_moves_the_due_time
            an_abandoned_entity_is_due_at_once
            an_entity_without_a_next_time_is_never_due
            a_wish_during_a_run_outlives_its_outcome
            new_content_during_a_run_outlives_its_outcome
            caches_are_kept_replaced_and_dropped
            a_batch_that_changes_nothing_is_sorted_out_like_any_other
            a_run_that_fails_keeps_what_the_last_good_one_gave
        });
        $crate::store_suite!(@area $open processors {
            new_processors_make_everything_due_that_ran_with_the_old_ones
            only_new_processors_make_due_what_is_under_way
            only_the_processors_that_were_applied_last_get_claims
            what_old_processors_gave_is_kept_and_the_entity_stays_due
            what_only_old_processors_put_off_stays_due
            children_of_old_processors_are_left_to_new_ones
            what_is_given_back_by_old_processors_is_due
            processors_that_follow_others_do_not_take_the_place_of_third_ones
        });
        $crate::store_suite!(@area $open providers {
            a_full_mutation_adds_updates_and_removes
            the_same_full_set_again_changes_nothing
            an_empty_full_set_empties_the_bucket
            a_delta_leaves_the_rest_of_the_bucket_alone
            a_delta_removes_whatever_the_location_key_is
            what_is_removed_and_added_at_once_stays
            a_provider_cannot_remove_what_is_not_in_its_bucket
            two_providers_may_hold_the_same_entity
            of_two_entities_with_one_ref_the_last_counts
            ten_thousand_entities_come_in_one_delta
            providers_with_a_bucket_are_listed
            an_orphan_can_be_adopted
            new_content_waits_in_the_lane_of_the_mutation
        });
        $crate::store_suite!(@area $open pruning {
            what_was_removed_takes_along_what_only_it_brought_in
            a_full_mutation_prunes_below_what_it_drops
            a_diamond_goes_as_a_whole
            what_another_provider_brings_in_stays
            what_another_root_of_the_same_provider_brings_in_stays
            cycles_go_with_their_last_root
            a_provider_prunes_only_its_own_roots
            a_root_that_is_also_a_child_stays_as_a_child
            what_hangs_on_an_orphan_does_not_hold_what_is_pruned
            those_that_had_relations_from_the_pruned_are_stitched
            orphans_go_with_all_that_hangs_on_them
            orphans_are_deleted_in_rounds
            a_cycle_that_nobody_holds_is_deleted
            a_cycle_that_an_orphan_closes_is_deleted
            deleted_entities_are_gone_for_every_reader
        });
        $crate::store_suite!(@area $open relations {
            sources_of_relations_that_come_or_go_are_stitched
            without_a_change_of_relations_only_the_entity_is_stitched
            the_same_relation_twice_is_one
            relations_are_sorted_bytewise_by_type_and_target
            relations_may_begin_at_entities_that_come_later
            relations_are_counted
            a_group_may_have_thousands_of_members
            an_event_makes_all_due_that_carry_its_key
        });
        $crate::store_suite!(@area $open requests {
            a_refresh_reaches_the_entity_and_all_locations_above
            a_refresh_of_an_unknown_entity_is_refused
            an_orphan_can_be_refreshed
            a_refresh_ends_at_a_limit_of_depth
            a_deleted_entity_comes_back_as_another_one
            a_full_run_that_was_asked_for_outlives_a_run_under_way
            a_full_run_that_was_asked_for_outlives_failures_and_other_results
            deleting_stitches_those_with_relations_from_the_deleted
            deleting_an_unknown_uid_is_no_error
            a_deleted_root_comes_back_with_the_next_mutation
            everything_can_be_made_due_at_once
        });
        $crate::store_suite!(@area $open stitching {
            a_final_entity_is_the_processed_one_completed
            the_etag_changes_with_the_content_and_only_then
            new_content_never_goes_under_an_old_etag
            an_etag_and_a_status_that_an_entity_brings_are_kept
            a_change_of_the_own_status_alone_is_seen
            refs_without_an_entity_are_abandoned
            stitching_goes_in_rounds_own_changes_first
            what_somebody_waits_for_is_stitched_before_a_backlog
            a_ref_that_is_queued_twice_is_stitched_once
            pages_are_ordered_by_ref
            a_page_of_large_entities_has_fewer
            ancestry_leads_up_to_the_roots_and_ends_in_cycles
            a_body_that_is_as_before_again_is_told_if_readers_may_have_seen_another
            final_entities_are_counted_by_kind
        });
        $crate::store_suite!(@area $open texts {
            an_entity_may_have_a_ref_of_any_length
            long_refs_are_told_apart_by_their_ends
            texts_with_nul_are_kept_as_they_are
            a_location_may_be_long_and_have_nul
            a_provider_may_have_a_name_of_any_kind
            an_error_is_found_by_any_location
            entities_with_texts_of_any_kind_go_without_a_trace
        });
        $crate::store_suite!(@area $open traps {
            both_ends_of_a_relation_follow_its_target_its_type_and_deletions
            a_group_of_thousands_is_stitched_once_for_all_of_its_members
            a_name_in_another_case_is_the_same_entity
        });
    };
    (@area $open:ident $area:ident { $($rule:ident)* }) => {
        mod $area {
            $(
                #[tokio::test]
                async fn $rule() {
                    let Some(store) = super::$open().await else { return };
                    $crate::suite::$area::$rule($crate::suite::world::World::new(&store)).await;
                }
            )*
        }
    };
}

/// Makes the tests that have statements fail. The argument is the name of an async function that opens an empty store
/// with a [`FaultHook`], or answers `None` where there is none to be had; the second one is how many executions of each
/// statement are made to fail, each in a history of its own.
#[macro_export]
macro_rules! fault_suite {
    ($open:ident, $executions_max:expr) => {
        mod faults {
            #[tokio::test]
            async fn each_statement_may_fail() {
                $crate::suite::faults::each_statement_may_fail(super::$open, $executions_max).await;
            }

            #[tokio::test]
            async fn a_failed_commit_keeps_its_leases() {
                $crate::suite::faults::a_failed_commit_keeps_its_leases(super::$open).await;
            }

            mod traps {
                #[tokio::test]
                async fn a_digest_never_advances_without_its_stitch_work() {
                    $crate::suite::traps::a_digest_never_advances_without_its_stitch_work(
                        super::super::$open,
                    )
                    .await;
                }

                #[tokio::test]
                async fn a_final_entity_is_never_written_without_its_change() {
                    $crate::suite::traps::a_final_entity_is_never_written_without_its_change(
                        super::super::$open,
                    )
                    .await;
                }
            }
        }
    };
}

/// Makes the tests of a store that several processes may have open. The argument is the name of an async function that
/// opens an empty store twice, or answers `None` where there is none to be had; with something that is dropped when the test
/// is over, to look how it went.
#[macro_export]
macro_rules! shared_store_suite {
    ($open:ident) => {
        mod shared {
            $crate::shared_store_suite!(@rules $open openings {
                a_job_is_done_by_one_at_a_time
                a_late_outcome_of_a_lease_that_another_took_over_is_refused
                a_ref_that_one_forgot_is_good_for_the_other
                new_content_is_not_lost_to_a_claim_at_the_same_time
                nothing_is_left_to_old_processors_that_work_while_new_ones_are_applied
                the_log_has_no_gaps_while_many_write
                two_providers_bring_in_the_same_entities_at_once
                what_one_did_the_other_one_hears_of
                what_one_wrote_the_other_one_reads
            });
            $crate::shared_store_suite!(@rules $open traps {
                two_replicas_never_claim_the_same_row
            });
        }
    };
    (@rules $open:ident $area:ident { $($rule:ident)* }) => {
        mod $area {
            $(
                #[tokio::test]
                async fn $rule() {
                    let Some((stores, _watch)) = super::super::$open().await else { return };
                    let worlds = stores.each_ref().map(|store| $crate::suite::world::World::new(store));
                    $crate::suite::$area::$rule(worlds).await;
                }
            )*
        }
    };
}
