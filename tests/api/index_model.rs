//! The index and all that decides about it, against a model in memory: random histories of pushes, runs, links, rules,
//! persons, pauses and removals, with the server restarted and its views built anew in between. Every answer is foretold,
//! and after each step all that is shown. A history that fails is shrunk to a short one.

mod compared;
mod foretold;
mod stage;
mod wish;

use proptest::{
    collection::vec,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use self::{stage::Stage, wish::wishes};
use crate::server::{Server, as_usual, on_postgres_with, on_sqlite};

/// Histories of one run, each on a server of its own.
const HISTORIES: u32 = 5;
/// How often a history that failed is shortened.
const SHORTENED: u32 = 80;

async fn lived(server: Server, history: Vec<wish::Wish>) {
    let mut stage = Stage::set(server).await;
    stage.compare().await;
    for wish in &history {
        stage.carry_out(wish).await;
        stage.compare().await;
    }
    stage.is_the_same_when_built_anew().await;
}

fn the_index_does_what_a_model_of_it_does(seed: u8, on_a_server: fn(Vec<wish::Wish>)) {
    let config =
        Config { cases: HISTORIES, max_shrink_iters: SHORTENED, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]));
    let ran = runner.run(&vec(wishes(), 1..40), |history| {
        on_a_server(history);
        Ok::<_, TestCaseError>(())
    });
    if let Err(TestError::Fail(why, history)) = ran {
        panic!("{why}\nafter {history:#?}");
    }
}

// Another engine, another history.
mod sqlite {
    #[test]
    fn the_index_does_what_a_model_of_it_does() {
        super::the_index_does_what_a_model_of_it_does(7, |history| {
            super::on_sqlite(|server| super::lived(server, history));
        });
    }
}

mod postgres {
    #[test]
    fn the_index_does_what_a_model_of_it_does() {
        super::the_index_does_what_a_model_of_it_does(8, |history| {
            super::on_postgres_with(super::as_usual, |server| super::lived(server, history));
        });
    }
}
