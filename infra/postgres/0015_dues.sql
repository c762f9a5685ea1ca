-- How what is not settled becomes less before its day, so that nothing of the client's own is kept
-- from him: never below what the market still owes, never above the cash that is there.

CREATE TABLE ledger.intraday_result (         -- cash that a day's trades in positions moved: intraday
                                              -- ones with their charges, and delivery sales' short part
  user_id    bigint NOT NULL,
  trade_date date NOT NULL,
  amount     bigint NOT NULL,
  PRIMARY KEY (user_id, trade_date)
);

-- Takes from what settles on a day; of what is blocked the intraday profit goes first, so that a loss
-- of it later frees nothing of the other. The account's next event records it.
CREATE FUNCTION ledger.lower_due(a ledger.account, p_settles_on date, p_unsettled bigint,
    p_blocked bigint)
RETURNS ledger.account LANGUAGE plpgsql AS $$
BEGIN
  UPDATE ledger.settlement_due d SET unsettled = d.unsettled - p_unsettled,
    blocked = d.blocked - p_blocked, intraday = greatest(0, d.intraday - p_blocked)
    WHERE d.user_id = a.user_id AND d.settles_on = p_settles_on;
  DELETE FROM ledger.settlement_due d
    WHERE d.user_id = a.user_id AND d.settles_on = p_settles_on AND d.unsettled = 0;
  a.unsettled := a.unsettled - p_unsettled;
  a.blocked := a.blocked - p_blocked;
  a.settles_next := coalesce((SELECT min(d.settles_on) FROM ledger.settlement_due d
    WHERE d.user_id = a.user_id), 'infinity');
  RETURN a;
END $$;

-- Adds what a fill realised in a position to its day's result. The market pays or takes a day's result
-- as one sum, so what is due of it is the profit as it now stands, none of which can be spent before.
-- What of it was used already (cut_dues) can't be taken back: then a loss lowers nothing that is due.
CREATE FUNCTION ledger.add_result(a ledger.account, p_trade_date date, p_settles_on date,
    p_amount bigint, p_today date)
RETURNS ledger.account LANGUAGE plpgsql AS $$
DECLARE v_after bigint; v_due bigint;
BEGIN
  INSERT INTO ledger.intraday_result AS r VALUES (a.user_id, p_trade_date, p_amount)
    ON CONFLICT (user_id, trade_date) DO UPDATE SET amount = r.amount + p_amount
    RETURNING r.amount INTO v_after;
  v_due := greatest(0, v_after) - greatest(0, v_after - p_amount);
  IF p_settles_on <= p_today OR v_due = 0 THEN RETURN a; END IF;  -- a late fill has settled by now
  IF v_due > 0 THEN RETURN ledger.add_due(a, p_settles_on, v_due, v_due, v_due); END IF;
  SELECT least(-v_due, d.intraday) INTO v_due FROM ledger.settlement_due d
    WHERE d.user_id = a.user_id AND d.settles_on = p_settles_on;
  IF v_due > 0 THEN RETURN ledger.lower_due(a, p_settles_on, v_due, v_due); END IF;
  RETURN a;
END $$;

-- Proceeds that have been used for something settle no more: of cash that is less than what is not
-- settled, all is not settled. What could be spent goes first, and of either kind what settles first.
CREATE FUNCTION ledger.cut_dues(a ledger.account, p_cash bigint) RETURNS ledger.account
LANGUAGE plpgsql AS $$
DECLARE d ledger.settlement_due; v_cut bigint;
BEGIN
  FOR d IN SELECT * FROM ledger.settlement_due x WHERE x.user_id = a.user_id ORDER BY x.settles_on LOOP
    v_cut := least(a.unsettled - p_cash, d.unsettled - d.blocked);
    IF v_cut > 0 THEN a := ledger.lower_due(a, d.settles_on, v_cut, 0); END IF;
  END LOOP;
  FOR d IN SELECT * FROM ledger.settlement_due x WHERE x.user_id = a.user_id ORDER BY x.settles_on LOOP
    v_cut := least(a.unsettled - p_cash, d.blocked);
    IF v_cut > 0 THEN a := ledger.lower_due(a, d.settles_on, v_cut, v_cut); END IF;
  END LOOP;
  RETURN a;
END $$;
