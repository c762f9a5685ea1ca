-- Many orders in one call: judged one behind the other, written together.
--
-- Invariant: a batch leaves what its orders would leave one by one, in its order by account; or, when
-- one of them was placed before, nothing.

-- Writes what was decided of new orders: orders, their events and the events' commands, all of one
-- length and order. Raises OC208 when a client's id was used before. The plan is the same whatever is
-- written, and PostgreSQL would make it anew each time for the lengths of the arrays.
CREATE FUNCTION ledger.write_placed(p_orders ledger.orders[], p_events ledger.ledger_event[],
    p_commands text[])
RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE v_written bigint;
BEGIN
  WITH placed AS (INSERT INTO ledger.orders SELECT * FROM unnest(p_orders)
      ON CONFLICT (user_id, client_order_id) DO NOTHING RETURNING 1),
    logged AS (INSERT INTO ledger.ledger_event (user_id, seq, at, kind, ref, cash_change, held_change,
        cash, held, borrowed, body, hash)
      SELECT e.user_id, e.seq, e.at, e.kind, e.ref, e.cash_change, e.held_change, e.cash, e.held,
        e.borrowed, e.body, e.hash FROM unnest(p_events) e),
    left_by AS (INSERT INTO ledger.outbox (part, user_id, seq, symbol, command)
      SELECT (o.user_id & 7)::smallint, o.user_id, o.placed_seq, o.symbol, p_commands[o.ordinality]
      FROM unnest(p_orders) WITH ORDINALITY o)
  SELECT count(*) INTO v_written FROM placed;
  IF v_written < cardinality(p_orders) THEN
    RAISE EXCEPTION 'an order of that id was placed before' USING ERRCODE = 'OC208';
  END IF;
END $$;

-- Many orders in one round trip and one commit: a JSON array of objects with the columns of an order,
-- and its terms, verdict and open_orders_max. Accounts are locked in order, so that two batches can't wait
-- for each other; each order is judged by itself, behind those before it in the batch. All are written at
-- once, at the end or before an order that has terms or whose judgement counts orders; an account is
-- written once, as the last of its orders left it. Raises OC208, and nothing is done, when a client's id
-- was used before: ask for each order by itself.
CREATE FUNCTION ledger.place_orders(p_orders text, p_trade_date date, p_now timestamptz)
RETURNS TABLE (place integer, outcome text, order_facts text, rules text, available bigint,
  largest bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  r record; p record; a ledger.account; v_kept bigint;   -- the seq that `a` is written at
  v_orders ledger.orders[] := '{}'; v_events ledger.ledger_event[] := '{}'; v_commands text[] := '{}';
BEGIN
  FOR r IN SELECT x.ordinality, jsonb_populate_record(NULL::ledger.orders, x.value) AS wanted,
      x.value ->> 'terms' AS terms, x.value ->> 'verdict' AS verdict,
      (x.value ->> 'open_orders_max')::integer AS open_orders_max
    FROM jsonb_array_elements(p_orders::jsonb) WITH ORDINALITY x
    ORDER BY (x.value ->> 'user_id')::bigint, x.ordinality
  LOOP
    IF (r.wanted).user_id IS DISTINCT FROM a.user_id THEN
      IF a.seq > v_kept THEN PERFORM ledger.keep_account(a); END IF;
      a := ledger.lock_account((r.wanted).user_id, p_trade_date, p_now);
      v_kept := a.seq;
    END IF;
    IF (a.class <> 'TEST' OR r.terms IS NOT NULL) AND cardinality(v_orders) > 0 THEN
      PERFORM ledger.write_placed(v_orders, v_events, v_commands);
      v_orders := '{}'; v_events := '{}'; v_commands := '{}';
    END IF;
    p := ledger.place_one(a, r.wanted, r.terms, r.verdict, r.open_orders_max, p_trade_date, p_now,
      true, r.terms IS NULL);
    IF r.terms IS NULL AND (p.account).seq > a.seq THEN
      v_orders := v_orders || p.placed; v_events := v_events || p.event;
      v_commands := v_commands || p.command;
    END IF;
    a := p.account;
    place := r.ordinality; outcome := p.outcome; order_facts := p.order_facts; rules := p.rules;
    available := p.available; largest := p.largest;
    RETURN NEXT;
  END LOOP;
  IF a.seq > v_kept THEN PERFORM ledger.keep_account(a); END IF;
  IF cardinality(v_orders) > 0 THEN
    PERFORM ledger.write_placed(v_orders, v_events, v_commands);
  END IF;
END $$;

GRANT EXECUTE ON FUNCTION ledger.place_orders TO outcry_app;
