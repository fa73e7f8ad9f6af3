// SPDX-License-Identifier: ISC
// Keeps the tables of the status page up to date: asks for them once a second.
"use strict";

const EVERY_MS = 1000;
const live = document.getElementById("live");

function cell(value, before) {
	const td = document.createElement("td");
	td.textContent = value;
	if (typeof value === "number")
		td.className = before !== undefined && before !== String(value) ? "n new" : "n";
	return td;
}

// What stood in each row, by its first cell.
function rowsBefore(body) {
	const rows = new Map();
	for (const tr of body.rows)
		rows.set(tr.cells[0].textContent, Array.from(tr.cells, (td) => td.textContent));
	return rows;
}

function fill(table, rows) {
	const body = table.tBodies[0];
	const before = rowsBefore(body);
	const made = rows.map((row) => {
		const values = Object.values(row);
		const old = before.get(String(values[0])) || [];
		const tr = document.createElement("tr");
		tr.append(...values.map((value, i) => cell(value, old[i])));
		return tr;
	});
	body.replaceChildren(...made);
}

async function update() {
	try {
		const answer = await fetch("/status.json", { cache: "no-store" });
		if (!answer.ok)
			throw new Error(answer.status);
		const status = await answer.json();
		document.getElementById("uptime").textContent = status.uptime_seconds.toFixed(1);
		for (const [name, rows] of Object.entries(status.tables)) {
			const table = document.getElementById(name);
			if (table)
				fill(table, rows);
		}
		live.textContent = "Live.";
		live.className = "";
	} catch (error) {
		live.textContent = "No answer: these numbers are old.";
		live.className = "late";
	}
	setTimeout(update, EVERY_MS);
}

update();
