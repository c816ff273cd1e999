//! Prices, pricing the past anew, what if and budgets.

use super::{card, open, range, send};
use meshscope_tests::{Browser, Server};

/// Types into a field of a form.
async fn fill(browser: &Browser, form: &str, name: &str, text: &str) {
    let script = format!(
        "const field = document.querySelector('{form} input[name={name:?}]'); field.value = {text:?}; \
         field.dispatchEvent(new InputEvent('input', {{bubbles: true}}))"
    );
    browser.script(&script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_change_on_purpose_and_what_if_and_budgets_reckon_with_them() {
    let server = Server::start();
    send(&server).await;
    let browser = Browser::start().await;
    browser.size(1440, 900).await;
    let tab = |tab: &str| format!("{}/usage?{}&tab={tab}", server.studio, range());
    browser.page.goto(tab("prices")).await.unwrap();
    browser
        .until(
            "the model without a price",
            "return document.querySelector('#unpriced')?.innerText.includes('house-model')",
        )
        .await;
    browser
        .script("document.querySelector('#unpriced button').click()")
        .await;
    browser
        .until("the form", "return !!document.querySelector('#price-form')")
        .await;
    // What is wrong is said, and nothing is lost of what was typed.
    fill(&browser, "#price-form", "Input", "cheap").await;
    browser
        .script("document.querySelector('#price-form button[type=submit]').click()")
        .await;
    browser.sees("is no price").await;
    fill(&browser, "#price-form", "Input", "1.00").await;
    fill(&browser, "#price-form", "Output", "2.00").await;
    browser.screenshot("usage-price-form").await;
    browser
        .script("document.querySelector('#price-form button[type=submit]').click()")
        .await;
    browser
        .until(
            "the own price",
            "return document.querySelector('[data-own=true]').innerText.includes('house-model')",
        )
        .await;
    // The past costs what it did until it is priced anew.
    open(&browser, &server, "").await;
    assert_eq!(card(&browser, "Cost").await, "\u{2265} $0.0046");
    browser.page.goto(tab("prices")).await.unwrap();
    browser
        .until("the prices", "return !!document.querySelector('[data-own=true]')")
        .await;
    browser.script("document.querySelector('#reprice').click()").await;
    browser.sees("2 of 4 calls would get another cost").await;
    browser.screenshot("usage-reprice").await;
    browser
        .script("document.querySelector('#reprice-apply').click()")
        .await;
    browser.sees("Applied").await;
    browser.sees("Every model that was called has a price.").await;
    open(&browser, &server, "").await;
    assert_eq!(card(&browser, "Cost").await, "$0.0053");
    // What if: as it was, then with all input from a cache, then with another model.
    let figures = "document.querySelector('#what-if')?.innerText ?? ''";
    browser.page.goto(tab("what-if")).await.unwrap();
    browser
        .until(
            "the cost as it was",
            &format!("return ({figures}).split('$0.0053').length === 3"),
        )
        .await;
    browser.page.goto(tab("what-if&cached=100")).await.unwrap();
    browser
        .until(
            "the cost with a cache",
            &format!("return ({figures}).includes('$0.0044')"),
        )
        .await;
    let swap = "const all = [...document.querySelectorAll('select.swap')]; \
                const select = all.find(e => e.getAttribute('aria-label') === 'Instead of openai/gpt-4o'); \
                select.value = [...select.options].find(o => o.value === 'openai/gpt-4o-mini').value; \
                select.dispatchEvent(new Event('change', {bubbles: true}))";
    browser.page.goto(tab("what-if")).await.unwrap();
    browser
        .until(
            "the models",
            "return document.querySelectorAll('select.swap').length === 3",
        )
        .await;
    browser.script(swap).await;
    // 600 and 400 cached tokens in at $0.15 and $0.075 a million, 200 out at $0.60.
    browser
        .until(
            "the cost of the other model",
            &format!("return ({figures}).includes('$0.0016')"),
        )
        .await;
    browser
        .until("the URL", "return location.search.includes('swap=')")
        .await;
    browser.screenshot("usage-what-if").await;
    // A budget of everything.
    browser.page.goto(tab("budgets")).await.unwrap();
    browser.sees("No budgets yet").await;
    browser
        .script("document.querySelector('#add-budget').click()")
        .await;
    browser
        .until("the form", "return !!document.querySelector('#budget-form')")
        .await;
    fill(&browser, "#budget-form", "Dollars a month", "12.50").await;
    browser
        .script("document.querySelector('#budget-form button[type=submit]').click()")
        .await;
    browser.sees("of $12.50").await;
    browser.sees("lasts the month").await;
    for asked in ["Remove", "Remove for good?"] {
        let press = format!(
            "const button = [...document.querySelectorAll('.budget-card button')].find(e => e.innerText === {asked:?}); \
             button?.click(); return !!button"
        );
        browser.until(asked, &press).await;
    }
    browser.sees("No budgets yet").await;
    browser.stop().await;
}
