//! Chats of Dexto.

use crate::replay::{names, orders, sent, sessions, spans};
use serde_json::json;

#[tokio::test]
async fn dexto_chats_are_sessions_and_its_housekeeping_is_none() {
    for order in orders(&names("dexto", &["0001"])) {
        let server = sent(&order).await;
        let list = sessions(&server).await;
        let find = |id: &str| {
            list.iter()
                .find(|s| s["session_id"].as_str().unwrap().starts_with(id))
                .unwrap()
        };
        assert_eq!(list.len(), 2, "{list:#?}");
        let (chat, failed) = (find("6f9ed929"), find("c04195d3"));
        assert_eq!(
            (&chat["traces"], &chat["tokens"]["total"]),
            (&json!(5), &json!("840"))
        );
        assert_eq!(
            (&failed["status"], &failed["traces"]),
            (&json!("failed"), &json!(1))
        );
        let status = server.get("status").await;
        assert_eq!(
            (&status["counts"]["spans"], &status["counts"]["sessions"]),
            (&json!("224"), &json!("2"))
        );
        // Nothing is lost: the traces of start and end are there for who looks for them.
        let traces = server.get("traces?from=0&limit=100").await;
        assert_eq!(traces["traces"].as_array().unwrap().len(), 15);
        let id = chat["session_id"].as_str().unwrap();
        let all = spans(&server, id).await;
        let tool = |name: &str| {
            let calls = all.iter().filter(|span| span["meaning"]["tool"] == name);
            calls
                .map(|span| span["meaning"]["error"].is_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (tool("get_weather"), tool("echo/echo"), tool("bad_tool")),
            (vec![false], vec![false], vec![true])
        );
        let errors = spans(&server, failed["session_id"].as_str().unwrap()).await;
        assert!(errors.iter().any(|span| {
            span["meaning"]["error"]
                .as_str()
                .is_some_and(|e| e.contains("stub failure"))
        }));
    }
}
