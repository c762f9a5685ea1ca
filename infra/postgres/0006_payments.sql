-- Payments: money in from a customer's bank account and money out to it.
--
-- Invariants kept here:
--   * A payment is asked for once per (user, direction, client_id), and its number is its reference
--     at the bank for ever: whoever doesn't know the outcome asks the bank again, never anew.
--   * A state moves only along ledger.payment_transition, under the account's lock.
--   * Money out leaves client:cash for house:payouts before the bank hears of it, and is there until
--     the bank's last word moves it to house:bank or back. Money in is booked after the bank's word.
--   * A request and its last word are events with all that the payment is; questions between are not.

CREATE TABLE ledger.payment (
  payment_id    bigint PRIMARY KEY,
  user_id       bigint NOT NULL,
  client_id     text NOT NULL,
  direction     text NOT NULL CHECK (direction IN ('IN', 'OUT')),
  amount        bigint NOT NULL CHECK (amount > 0),
  state         text NOT NULL,
  attempts      integer NOT NULL DEFAULT 0,   -- how often the bank was asked
  due_at        timestamptz,                  -- business time to ask it; null: ended, or for a person
  reason        text,                         -- the bank's, for a refusal
  rules         jsonb,                        -- ours, for a refusal
  requested_seq bigint,                       -- event of the request; null when we refused it
  ended_seq     bigint,                       -- event of the last word: the bank's, or our refusal
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  UNIQUE (user_id, direction, client_id)
);
CREATE INDEX payment_by_user ON ledger.payment (user_id, payment_id DESC);
CREATE INDEX payment_due ON ledger.payment (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payment_under_way ON ledger.payment (user_id) WHERE state IN ('REQUESTED', 'SENT');

-- The payment's life (functions/shared/domain/payments.py has the same rows; a test compares them).
CREATE TABLE ledger.payment_transition (
  direction text NOT NULL,
  state     text NOT NULL,
  happening text NOT NULL,
  next      text NOT NULL,
  PRIMARY KEY (direction, state, happening)
);
INSERT INTO ledger.payment_transition VALUES
  ('OUT', 'REQUESTED', 'ASKED', 'SENT'), ('OUT', 'SENT', 'ASKED', 'SENT'),
  ('OUT', 'SENT', 'DONE', 'PAID'), ('OUT', 'SENT', 'REFUSED', 'RETURNED'),
  ('IN', 'REQUESTED', 'ASKED', 'REQUESTED'), ('IN', 'REQUESTED', 'DONE', 'COLLECTED'),
  ('IN', 'REQUESTED', 'REFUSED', 'FAILED'),
  ('OUT', 'PAID', 'DONE', 'PAID'), ('OUT', 'RETURNED', 'REFUSED', 'RETURNED'),
  ('IN', 'COLLECTED', 'DONE', 'COLLECTED'), ('IN', 'FAILED', 'REFUSED', 'FAILED');

-- What an event and an answer tell of a payment. Times in microseconds since 1970.
CREATE FUNCTION ledger.payment_facts(p ledger.payment) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT json_build_object('payment_id', p.payment_id, 'client_id', p.client_id,
    'direction', p.direction, 'amount', p.amount, 'state', p.state, 'attempts', p.attempts,
    'waits', p.due_at IS NOT NULL, 'reason', p.reason, 'rules', p.rules,
    'requested_seq', p.requested_seq, 'ended_seq', p.ended_seq,
    'created_at', ledger.micros(p.created_at), 'updated_at', ledger.micros(p.updated_at))::text
$$;

-- The rules a payment breaks. A halted account moves no money either way: one that closes is halted
-- before it is looked at, and nothing may come in behind that look. Only what is settled, free and not
-- owed may leave; while a report of the venue awaits review, what is free can't be trusted.
CREATE FUNCTION ledger.judge_payment(a ledger.account, p_direction text, p_amount bigint,
    p_under_way_most integer)
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE v_free bigint := greatest(0, a.cash - a.held - a.unsettled - a.borrowed);
  v_rules jsonb := '[]'; v_under_way integer;
BEGIN
  SELECT count(*) INTO v_under_way FROM ledger.payment x
    WHERE x.user_id = a.user_id AND x.state IN ('REQUESTED', 'SENT');
  IF v_under_way >= p_under_way_most THEN
    v_rules := v_rules || ledger.rule('TOO_MANY_PAYMENTS', 'wait until one has ended',
      (v_under_way + 1)::text, p_under_way_most::text, NULL);
  END IF;
  IF a.state = 'HALTED' THEN
    v_rules := v_rules || ledger.rule('ACCOUNT_HALTED', 'the account is halted', a.state, 'ACTIVE', NULL);
  END IF;
  IF p_direction = 'IN' THEN RETURN v_rules; END IF;
  IF EXISTS (SELECT FROM ledger.parked_execution x WHERE x.user_id = a.user_id) THEN
    v_rules := v_rules || ledger.rule('ACCOUNT_UNDER_REVIEW', 'a report of the venue awaits review',
      'UNDER_REVIEW', 'ACTIVE', NULL);
  END IF;
  IF p_amount > v_free THEN
    v_rules := v_rules || (ledger.rule('INSUFFICIENT_WITHDRAWABLE',
        'only money that is settled and free can leave', ledger.rupees(p_amount),
        ledger.rupees(v_free), NULL)
      || jsonb_build_object('nearest', CASE WHEN v_free > 0 THEN ledger.rupees(v_free) END));
  END IF;
  RETURN v_rules;
END $$;

-- Records what a client asks for. Idempotent on (user, direction, client_id).
-- outcome: DONE, REFUSED (by our rules; the same id is refused for ever), REPLAY, KEY_REUSED.
CREATE FUNCTION ledger.request_payment(p_user bigint, p_direction text, p_client_id text,
    p_amount bigint, p_under_way_most integer, p_today date, p_now timestamptz)
RETURNS TABLE (outcome text, payment text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; p ledger.payment; v_rules jsonb;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO p FROM ledger.payment x
    WHERE x.user_id = p_user AND x.direction = p_direction AND x.client_id = p_client_id;
  IF FOUND THEN
    RETURN QUERY SELECT CASE WHEN p.amount = p_amount THEN 'REPLAY' ELSE 'KEY_REUSED' END,
      ledger.payment_facts(p);
    RETURN;
  END IF;
  v_rules := ledger.judge_payment(a, p_direction, p_amount, p_under_way_most);
  p := ROW(ledger.new_order_id(p_user), p_user, p_client_id, p_direction, p_amount, 'REQUESTED', 0,
    p_now, NULL, NULL, NULL, NULL, p_now, p_now);
  IF v_rules <> '[]' THEN
    p.state := 'REFUSED';
    p.due_at := NULL;
    p.rules := v_rules;
    p.ended_seq := a.seq + 1;
    a := ledger.append_event(a, CASE p_direction WHEN 'OUT' THEN 'WITHDRAWAL_REFUSED'
      ELSE 'DEPOSIT_REFUSED' END, p.payment_id, 0, 0, 0, p_now,
      '"payment":' || ledger.payment_facts(p), NULL, NULL);
  ELSE
    p.requested_seq := a.seq + 1;
    IF p_direction = 'OUT' THEN
      PERFORM ledger.move_cash(a, 'WITHDRAWAL_REQUESTED', p.payment_id, 0, p_now,
        '"payment":' || ledger.payment_facts(p), NULL, '{house:payouts}', ARRAY[p_amount]);
    ELSE
      a := ledger.append_event(a, 'DEPOSIT_REQUESTED', p.payment_id, 0, 0, 0, p_now,
        '"payment":' || ledger.payment_facts(p), NULL, NULL);
    END IF;
  END IF;
  INSERT INTO ledger.payment SELECT (p).*;
  RETURN QUERY SELECT CASE p.state WHEN 'REFUSED' THEN 'REFUSED' ELSE 'DONE' END,
    ledger.payment_facts(p);
END $$;

-- Says that the bank is about to be asked, and when next if it gives no last word: after 1, 2, 4, ...
-- at most 60 minutes, p_attempts_most times; then never by itself. Null when it is not due, so of
-- two that would ask at once one does.
CREATE FUNCTION ledger.attempt_payment(p_user bigint, p_payment bigint, p_attempts_most integer,
    p_today date, p_now timestamptz)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; p ledger.payment;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO p FROM ledger.payment x WHERE x.payment_id = p_payment AND x.user_id = p_user;
  IF NOT FOUND OR p.due_at IS NULL OR p.due_at > p_now THEN RETURN NULL; END IF;
  p.state := ledger.payment_after(p, 'ASKED');
  p.attempts := p.attempts + 1;
  p.due_at := CASE WHEN p.attempts < p_attempts_most
    THEN p_now + least(2 ^ (p.attempts - 1), 60) * interval '1 minute' END;
  p.updated_at := p_now;
  UPDATE ledger.payment x SET state = p.state, attempts = p.attempts, due_at = p.due_at,
    updated_at = p.updated_at WHERE x.payment_id = p_payment;
  RETURN ledger.payment_facts(p);
END $$;

-- Books the bank's last word: p_happening DONE or REFUSED. Heard again, it changes nothing; another
-- last word than the first is an error, for money has moved by the first.
CREATE FUNCTION ledger.end_payment(p_user bigint, p_payment bigint, p_happening text, p_reason text,
    p_today date, p_now timestamptz)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; p ledger.payment; v_before text;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT * INTO p FROM ledger.payment x WHERE x.payment_id = p_payment AND x.user_id = p_user;
  IF NOT FOUND THEN RAISE EXCEPTION 'no payment %', p_payment USING ERRCODE = 'OC404'; END IF;
  v_before := p.state;
  p.state := ledger.payment_after(p, p_happening);
  IF p.state = v_before THEN RETURN ledger.payment_facts(p); END IF;
  p.due_at := NULL;
  p.reason := p_reason;
  p.updated_at := p_now;
  p.ended_seq := a.seq + 1;
  CASE p.state
    WHEN 'COLLECTED' THEN
      PERFORM ledger.move_cash(a, 'DEPOSITED', NULL, 0, p_now,
        '"client_id":"payment:' || p_payment || '","payment":' || ledger.payment_facts(p), NULL,
        '{house:bank}', ARRAY[-p.amount]);
      INSERT INTO ledger.deposit VALUES (p_user, 'payment:' || p_payment, p.amount, p.ended_seq);
    WHEN 'PAID' THEN
      PERFORM ledger.move_cash(a, 'WITHDRAWAL_PAID', p_payment, 0, p_now,
        '"payment":' || ledger.payment_facts(p), NULL, '{house:payouts,house:bank}',
        ARRAY[-p.amount, p.amount]);
    WHEN 'RETURNED' THEN
      PERFORM ledger.move_cash(a, 'WITHDRAWAL_RETURNED', p_payment, 0, p_now,
        '"payment":' || ledger.payment_facts(p), NULL, '{house:payouts}', ARRAY[-p.amount]);
    WHEN 'FAILED' THEN
      a := ledger.append_event(a, 'DEPOSIT_FAILED', p_payment, 0, 0, 0, p_now,
        '"payment":' || ledger.payment_facts(p), NULL, NULL);
  END CASE;
  UPDATE ledger.payment x SET state = p.state, due_at = NULL, reason = p.reason,
    ended_seq = p.ended_seq, updated_at = p.updated_at WHERE x.payment_id = p_payment;
  RETURN ledger.payment_facts(p);
END $$;

-- A person lets the bank be asked again about a payment that nothing asks about any more.
CREATE FUNCTION ledger.retry_payment(p_payment bigint, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE v_user bigint;
BEGIN
  SELECT x.user_id INTO v_user FROM ledger.payment x WHERE x.payment_id = p_payment;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM ledger.lock_account(v_user, '-infinity', p_now);
  UPDATE ledger.payment x SET attempts = 0, due_at = p_now, updated_at = p_now
    WHERE x.payment_id = p_payment AND x.due_at IS NULL AND x.state IN ('REQUESTED', 'SENT');
  RETURN FOUND;
END $$;

CREATE FUNCTION ledger.payment_after(p ledger.payment, p_happening text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE v_next text;
BEGIN
  SELECT t.next INTO v_next FROM ledger.payment_transition t
    WHERE t.direction = p.direction AND t.state = p.state AND t.happening = p_happening;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'payment % is % and can''t be %', p.payment_id, p.state, p_happening
      USING ERRCODE = 'OC409';
  END IF;
  RETURN v_next;
END $$;

GRANT EXECUTE ON FUNCTION ledger.request_payment, ledger.attempt_payment, ledger.end_payment,
  ledger.payment_facts TO outcry_app;
