//! Scores of continuations, a task from its first answer to its comparison, and what is refused.
use super::*;

const TASK: &str = r#"{"task": "t", "output_type": "multiple_choice", "doc_to_text": "{{q}}",
    "doc_to_choice": [" yes", " no"], "doc_to_target": "a"}"#;
const ITEMS: &str = "{\"q\": \"Is it?\", \"a\": 0}\n{\"q\": \"Was it?\", \"a\": 1}\n{\"q\": \"Will it?\", \"a\": 0}\n";

#[test]
fn continuations_are_scored_as_a_session_scores_them() {
    let model = model();
    let scores = model.score_continuations(&[(&TOKENS[..4], &TOKENS[4..]), (&TOKENS[..4], &[5])]).unwrap();
    let nll = model.session().unwrap().score(&TOKENS).unwrap();
    let want: f64 = nll[3..].iter().map(|x| -f64::from(*x)).sum();
    assert_eq!(scores[0].log_likelihood, want);
    assert!(scores[1].log_likelihood < 0.0);
    assert_eq!(model.score_continuations(&[(&[], &[1])]).unwrap_err().status, Status::InvalidArgument);
}

#[test]
fn a_task_that_was_stopped_goes_on() {
    let model = Model::open(gguf()).unwrap();
    let mut run = Evaluation::new(&model, TASK, ITEMS, "", &EvaluationOptions::default()).unwrap();
    assert_eq!(run.info().unwrap().requests, 6);
    assert_eq!(run.result().unwrap_err().status, Status::WrongState);
    let mut answers = Vec::new();
    let stopped = run.run(|a| {
        answers.push(a.to_string());
        if answers.len() < 2 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    assert_eq!(stopped.unwrap_err().status, Status::Cancelled);
    let mut again = Evaluation::new(&model, TASK, ITEMS, "", &EvaluationOptions::default()).unwrap();
    for a in &answers {
        assert!(again.restore(a).unwrap());
    }
    let mut rest = 0;
    again
        .run(|_| {
            rest += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(rest, 4);
    run.run(|_| ControlFlow::Continue(())).unwrap();
    assert_eq!(run.samples().unwrap(), again.samples().unwrap());
    assert!(run.result().unwrap().contains("\"acc\""));
    assert!(run.report().unwrap().starts_with("<!doctype html>"));
    let samples = run.samples().unwrap();
    assert!(compare_samples(&samples, &samples).unwrap().contains("cannot tell"));
    let wrong = Evaluation::new(&model, "{\"task\": 3}", ITEMS, "", &EvaluationOptions::default());
    assert!(wrong.err().unwrap().message.contains("task, line 1: \"task\""));
}
