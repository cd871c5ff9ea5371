// SPDX-License-Identifier: Apache-2.0

/// The register file of the training engine: an AXI4-Lite subordinate of 32-bit words.
///
/// A byte address is {window, word of the window, 2'b00}: bittrue_pkg::engine_window_e, and in the
/// window REGISTERS bittrue_pkg::engine_register_e. Refused with SLVERR, and without effect: any
/// write while the engine runs, a write that strobes less than a word, one to what can only be
/// read, a number of columns or a shift that the engine has not; any read of another window than
/// REGISTERS and MODEL, or of MODEL while the engine runs.
module engine_registers
  import bittrue_pkg::*;
#(
  /// Largest number of columns.
  parameter int unsigned MaxColumns = 1024,
  /// Bits of the scale registers.
  parameter int unsigned MultiplierWidth = 16,
  /// Largest shift.
  parameter int unsigned MaxShift = 62,
  /// Dependent, do not change: bits of a number of columns, and of a shift.
  localparam int unsigned ColumnsWidth = $clog2(MaxColumns + 1),
  localparam int unsigned ShiftWidth = index_width(MaxShift + 1)
) (
  /// Clock.
  input  logic                          clk_i,
  /// Asynchronous reset, active low.
  input  logic                          rst_ni,
  /// Write address.
  input  logic [EngineAddressWidth-1:0] s_axil_awaddr,
  /// High while a write address is offered.
  input  logic                          s_axil_awvalid,
  /// High when it is taken.
  output logic                          s_axil_awready,
  /// Word to write.
  input  logic [31:0]                   s_axil_wdata,
  /// Bytes of it to write: all or an error.
  input  logic [3:0]                    s_axil_wstrb,
  /// High while a word is offered.
  input  logic                          s_axil_wvalid,
  /// High when it is taken.
  output logic                          s_axil_wready,
  /// What became of a write: 0, or 2 for SLVERR.
  output logic [1:0]                    s_axil_bresp,
  /// High while that is offered.
  output logic                          s_axil_bvalid,
  /// High when it is taken.
  input  logic                          s_axil_bready,
  /// Read address.
  input  logic [EngineAddressWidth-1:0] s_axil_araddr,
  /// High while a read address is offered.
  input  logic                          s_axil_arvalid,
  /// High when it is taken.
  output logic                          s_axil_arready,
  /// Word read.
  output logic [31:0]                   s_axil_rdata,
  /// What became of a read: 0, or 2 for SLVERR.
  output logic [1:0]                    s_axil_rresp,
  /// High while a word is offered.
  output logic                          s_axil_rvalid,
  /// High when it is taken.
  input  logic                          s_axil_rready,
  /// Values of STATUS, CYCLES, CYCLES_HIGH and the counts of overflows, the first lowest.
  input  logic [8*32-1:0]               status_i,
  /// What a write to CONTROL starts, by bittrue_pkg::engine_command_e.
  output logic [3:0]                    commands_o,
  /// Columns of a row.
  output logic [ColumnsWidth-1:0]       columns_o,
  /// Steps of a loop.
  output logic [31:0]                   steps_o,
  /// Scale register of the link.
  output logic [MultiplierWidth-1:0]    multiplier_o,
  /// Its shift.
  output logic [ShiftWidth-1:0]         shift_o,
  /// Scale register of the table index.
  output logic [MultiplierWidth-1:0]    index_multiplier_o,
  /// Its shift.
  output logic [ShiftWidth-1:0]         index_shift_o,
  /// High in a cycle that writes a window, by bittrue_pkg::engine_window_e.
  output logic [7:0]                    window_write_o,
  /// Its word.
  output logic [WindowWidth-1:0]        write_word_o,
  /// What to write.
  output logic [31:0]                   write_data_o,
  /// Word of the model to read.
  output logic [WindowWidth-1:0]        read_word_o,
  /// That word, a cycle later.
  input  logic [31:0]                   read_data_i
);

  localparam int unsigned Writable = 32'(STATUS);
  localparam int unsigned Registers = 32'(MODEL_OVERFLOWS) + 1;

  // Writes
  engine_window_e write_window;
  engine_register_e write_register;
  logic write, is_running, is_allowed, bvalid_q, refused_q;
  logic [Writable-1:0][31:0] registers;
  logic [7:0][31:0] status;

  assign is_running = status[0][5'(RUNNING)];
  assign write = s_axil_awvalid & s_axil_wvalid & (~bvalid_q | s_axil_bready);
  assign s_axil_awready = write;
  assign s_axil_wready = write;
  assign write_window = engine_window_e'(s_axil_awaddr[EngineAddressWidth-1-:3]);
  assign write_register = engine_register_e'(write_word_o[4:0]);
  assign write_word_o = s_axil_awaddr[2+:WindowWidth];
  assign write_data_o = s_axil_wdata;

  always_comb begin
    is_allowed = ~is_running & &s_axil_wstrb & write_window <= TABLE;
    if (write_window == REGISTERS) begin
      if (write_word_o >= WindowWidth'(Writable)) is_allowed = 1'b0;
      if (write_register == COLUMNS && (s_axil_wdata == 32'd0 || s_axil_wdata > MaxColumns)) begin
        is_allowed = 1'b0;
      end
      if (write_register inside {SHIFT, INDEX_SHIFT} && s_axil_wdata > MaxShift) is_allowed = 1'b0;
    end
  end

  assign window_write_o = write & is_allowed ? 8'd1 << write_window : 8'd0;
  assign commands_o = window_write_o[REGISTERS] && write_register == CONTROL ? s_axil_wdata[3:0] :
      4'd0;

  for (genvar k = 0; k < 8; k++) begin : gen_status
    assign status[k] = status_i[32*k+:32];
  end

  for (genvar k = 0; k < Writable; k++) begin : gen_register
    logic [31:0] register_q;

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        register_q <= k == 32'(COLUMNS) ? 32'd1 : 32'd0;
      end else if (window_write_o[REGISTERS] && write_register == engine_register_e'(k)) begin
        register_q <= s_axil_wdata;
      end
    end

    assign registers[k] = register_q;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      bvalid_q  <= 1'b0;
      refused_q <= 1'b0;
    end else begin
      bvalid_q <= write | (bvalid_q & ~s_axil_bready);
      if (write) refused_q <= ~is_allowed;
    end
  end

  assign s_axil_bvalid = bvalid_q;
  assign s_axil_bresp = {refused_q, 1'b0};
  assign columns_o = registers[3'(COLUMNS)][ColumnsWidth-1:0];
  assign steps_o = registers[3'(STEPS)];
  assign multiplier_o = registers[3'(MULTIPLIER)][MultiplierWidth-1:0];
  assign shift_o = registers[3'(SHIFT)][ShiftWidth-1:0];
  assign index_multiplier_o = registers[3'(INDEX_MULTIPLIER)][MultiplierWidth-1:0];
  assign index_shift_o = registers[3'(INDEX_SHIFT)][ShiftWidth-1:0];

  // Reads, two cycles each: the model's memory takes one
  logic reading_q, rvalid_q, rrefused_q;
  logic [31:0] rdata_q, value;
  logic [EngineAddressWidth-1:2] address_q;
  engine_window_e read_window;
  logic is_register, is_model;

  assign s_axil_arready = ~reading_q & ~rvalid_q;
  assign read_word_o = s_axil_araddr[2+:WindowWidth];
  assign read_window = engine_window_e'(address_q[EngineAddressWidth-1-:3]);
  assign is_register = read_window == REGISTERS &&
      address_q[2+:WindowWidth] < WindowWidth'(Registers);
  assign is_model = read_window == MODEL & ~is_running;

  always_comb begin
    value = 32'd0;
    if (is_model) begin
      value = read_data_i;
    end else if (is_register) begin
      if (address_q[6:2] < 5'(Writable)) value = registers[address_q[4:2]];
      else value = status[3'(address_q[6:2]-5'(Writable))];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reading_q  <= 1'b0;
      rvalid_q   <= 1'b0;
      rrefused_q <= 1'b0;
      rdata_q    <= 32'd0;
      address_q  <= (EngineAddressWidth - 2)'(0);
    end else begin
      reading_q <= s_axil_arvalid & s_axil_arready;
      rvalid_q  <= reading_q | (rvalid_q & ~s_axil_rready);
      if (s_axil_arvalid & s_axil_arready) address_q <= s_axil_araddr[EngineAddressWidth-1:2];
      if (reading_q) begin
        rdata_q    <= value;
        rrefused_q <= ~(is_register | is_model);
      end
    end
  end

  assign s_axil_rvalid = rvalid_q;
  assign s_axil_rdata = rdata_q;
  assign s_axil_rresp = {rrefused_q, 1'b0};

  logic unused;
  assign unused = ^{s_axil_awaddr[1:0], s_axil_araddr[1:0], registers[3'(CONTROL)]};

endmodule
